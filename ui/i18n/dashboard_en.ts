<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en_US">
<context>
    <name>Action</name>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>NG</source>
        <translation>NG</translation>
    </message>
    <message>
        <source>HOLD</source>
        <translation>HOLD</translation>
    </message>
</context>
<context>
    <name>AlarmCode</name>
    <message>
        <source>Camera delivers no pictures</source>
        <translation>Camera delivers no pictures</translation>
    </message>
    <message>
        <source>Verdicts cannot be recorded</source>
        <translation>Verdicts cannot be recorded</translation>
    </message>
    <message>
        <source>MES not answering</source>
        <translation>MES not answering</translation>
    </message>
    <message>
        <source>MES refuses messages</source>
        <translation>MES refuses messages</translation>
    </message>
    <message>
        <source>Changed settings not accepted</source>
        <translation>Changed settings not accepted</translation>
    </message>
    <message>
        <source>Parts come faster than they can be inspected</source>
        <translation>Parts come faster than they can be inspected</translation>
    </message>
    <message>
        <source>Many parts in a row held</source>
        <translation>Many parts in a row held</translation>
    </message>
    <message>
        <source>A model stage fails</source>
        <translation>A model stage fails</translation>
    </message>
    <message>
        <source>Disk nearly full</source>
        <translation>Disk nearly full</translation>
    </message>
</context>
<context>
    <name>AlarmRemedy</name>
    <message>
        <source>Check the camera&apos;s cable and power. Inspection goes on by itself when pictures come again.</source>
        <translation>Check the camera&apos;s cable and power. Inspection goes on by itself when pictures come again.</translation>
    </message>
    <message>
        <source>Parts are held meanwhile. Check disk space and the database; it goes on by itself.</source>
        <translation>Parts are held meanwhile. Check disk space and the database; it goes on by itself.</translation>
    </message>
    <message>
        <source>The line goes on. Check the broker and the network; what waits is sent by itself.</source>
        <translation>The line goes on. Check the broker and the network; what waits is sent by itself.</translation>
    </message>
    <message>
        <source>The line goes on and messages are kept. Check user, password and rights at the broker.</source>
        <translation>The line goes on and messages are kept. Check user, password and rights at the broker.</translation>
    </message>
    <message>
        <source>The line goes on with the last good settings. Correct the file; it is read again by itself.</source>
        <translation>The line goes on with the last good settings. Correct the file; it is read again by itself.</translation>
    </message>
    <message>
        <source>Parts that come too fast are held. Slow the line down, or call an engineer.</source>
        <translation>Parts that come too fast are held. Slow the line down, or call an engineer.</translation>
    </message>
    <message>
        <source>Look at the held parts and at camera and light. Call an engineer when it stays.</source>
        <translation>Look at the held parts and at camera and light. Call an engineer when it stays.</translation>
    </message>
    <message>
        <source>Parts are held. Restart the station; call an engineer when it comes again.</source>
        <translation>Parts are held. Restart the station; call an engineer when it comes again.</translation>
    </message>
    <message>
        <source>Free disk space before the disk is full: parts are held then.</source>
        <translation>Free disk space before the disk is full: parts are held then.</translation>
    </message>
</context>
<context>
    <name>Alarms</name>
    <message>
        <source>Station: {message}</source>
        <translation>Station: {message}</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>Next</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>Acknowledge</translation>
    </message>
    <message>
        <source>Alarms of the station before: {count}</source>
        <translation>Alarms of the station before: {count}</translation>
    </message>
    <message>
        <source>No alarms</source>
        <translation>No alarms</translation>
    </message>
    <message>
        <source>Alarms are not known</source>
        <translation>Alarms are not known</translation>
    </message>
    <message>
        <source>{title}: over since {until}, began {since}</source>
        <translation>{title}: over since {until}, began {since}</translation>
    </message>
    <message>
        <source>{title} since {since} · acknowledged</source>
        <translation>{title} since {since} · acknowledged</translation>
    </message>
    <message>
        <source>{title} since {since}</source>
        <translation>{title} since {since}</translation>
    </message>
</context>
<context>
    <name>Certificate</name>
    <message>
        <source>added escapes</source>
        <translation>added escapes</translation>
    </message>
    <message>
        <source>added overkill</source>
        <translation>added overkill</translation>
    </message>
    <message>
        <source>added misnaming</source>
        <translation>added misnaming</translation>
    </message>
    <message>
        <source>relative to the full model only</source>
        <translation>relative to the full model only</translation>
    </message>
    <message>
        <source>labels</source>
        <translation>labels</translation>
    </message>
    <message>
        <source>uncertified</source>
        <translation>uncertified</translation>
    </message>
    <message>
        <source>void: {reason}</source>
        <translation>void: {reason}</translation>
    </message>
</context>
<context>
    <name>CertificateShort</name>
    <message>
        <source>escapes</source>
        <translation>escapes</translation>
    </message>
    <message>
        <source>overkill</source>
        <translation>overkill</translation>
    </message>
    <message>
        <source>names</source>
        <translation>names</translation>
    </message>
    <message>
        <source>vs full model</source>
        <translation>vs full model</translation>
    </message>
    <message>
        <source>labels</source>
        <translation>labels</translation>
    </message>
    <message>
        <source>added: {bounds}</source>
        <translation>added: {bounds}</translation>
    </message>
</context>
<context>
    <name>Counters</name>
    <message>
        <source>Parts</source>
        <translation>Parts</translation>
    </message>
    <message>
        <source>Pass</source>
        <translation>Pass</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Reject</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>Hold</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>Yield</translation>
    </message>
    <message>
        <source>Last known, of {time}</source>
        <translation>Last known, of {time}</translation>
    </message>
    <message>
        <source>Parts do not add up ({missing}): stop and call an engineer</source>
        <translation>Parts do not add up ({missing}): stop and call an engineer</translation>
    </message>
    <message>
        <source>All parts accounted for, {count} in work</source>
        <translation>All parts accounted for, {count} in work</translation>
    </message>
    <message>
        <source>All parts accounted for</source>
        <translation>All parts accounted for</translation>
    </message>
</context>
<context>
    <name>Defect</name>
    <message>
        <source>scratch</source>
        <translation>scratch</translation>
    </message>
    <message>
        <source>dent</source>
        <translation>dent</translation>
    </message>
    <message>
        <source>chip</source>
        <translation>chip</translation>
    </message>
    <message>
        <source>crack</source>
        <translation>crack</translation>
    </message>
    <message>
        <source>burr</source>
        <translation>burr</translation>
    </message>
    <message>
        <source>stain</source>
        <translation>stain</translation>
    </message>
    <message>
        <source>hole</source>
        <translation>hole</translation>
    </message>
    <message>
        <source>blowhole</source>
        <translation>blowhole</translation>
    </message>
    <message>
        <source>break</source>
        <translation>break</translation>
    </message>
    <message>
        <source>fray</source>
        <translation>fray</translation>
    </message>
    <message>
        <source>uneven</source>
        <translation>uneven</translation>
    </message>
    <message>
        <source>missing screw</source>
        <translation>missing screw</translation>
    </message>
    <message>
        <source>missing</source>
        <translation>missing</translation>
    </message>
    <message>
        <source>contamination</source>
        <translation>contamination</translation>
    </message>
    <message>
        <source>discoloration</source>
        <translation>discoloration</translation>
    </message>
    <message>
        <source>pitting</source>
        <translation>pitting</translation>
    </message>
    <message>
        <source>inclusion</source>
        <translation>inclusion</translation>
    </message>
    <message>
        <source>defect</source>
        <translation>defect</translation>
    </message>
</context>
<context>
    <name>Exit</name>
    <message>
        <source>front</source>
        <translation>front</translation>
    </message>
    <message>
        <source>middle</source>
        <translation>middle</translation>
    </message>
    <message>
        <source>full</source>
        <translation>full</translation>
    </message>
</context>
<context>
    <name>ExitMix</name>
    <message>
        <source>Where parts were decided</source>
        <translation>Where parts were decided</translation>
    </message>
    <message>
        <source>certificate: {sentence}</source>
        <translation>certificate: {sentence}</translation>
    </message>
</context>
<context>
    <name>Film</name>
    <message>
        <source>empty</source>
        <translation>empty</translation>
    </message>
    <message>
        <source>no picture</source>
        <translation>no picture</translation>
    </message>
    <message>
        <source>Last NG and HOLD: tap to look</source>
        <translation>Last NG and HOLD: tap to look</translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message>
        <source>Recipe</source>
        <translation>Recipe</translation>
    </message>
    <message>
        <source>Part</source>
        <translation>Part</translation>
    </message>
    <message>
        <source>SIMULATED</source>
        <translation>SIMULATED</translation>
    </message>
    <message>
        <source>No station</source>
        <translation>No station</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Language</translation>
    </message>
    <message>
        <source>Colours</source>
        <translation>Colours</translation>
    </message>
    <message>
        <source>Light, dark or high contrast</source>
        <translation>Light, dark or high contrast</translation>
    </message>
    <message>
        <source>Certificate</source>
        <translation>Certificate</translation>
    </message>
</context>
<context>
    <name>HoldReason</name>
    <message>
        <source>no picture</source>
        <translation>no picture</translation>
    </message>
    <message>
        <source>wrong format</source>
        <translation>wrong format</translation>
    </message>
    <message>
        <source>black</source>
        <translation>black</translation>
    </message>
    <message>
        <source>overexposed</source>
        <translation>overexposed</translation>
    </message>
    <message>
        <source>blurred</source>
        <translation>blurred</translation>
    </message>
    <message>
        <source>half a picture</source>
        <translation>half a picture</translation>
    </message>
    <message>
        <source>frozen picture</source>
        <translation>frozen picture</translation>
    </message>
    <message>
        <source>invalid score</source>
        <translation>invalid score</translation>
    </message>
    <message>
        <source>undecided</source>
        <translation>undecided</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>model failed</translation>
    </message>
    <message>
        <source>overload</source>
        <translation>overload</translation>
    </message>
    <message>
        <source>deadline</source>
        <translation>deadline</translation>
    </message>
    <message>
        <source>not recorded</source>
        <translation>not recorded</translation>
    </message>
    <message>
        <source>internal error</source>
        <translation>internal error</translation>
    </message>
</context>
<context>
    <name>Lamp</name>
    <message>
        <source>NOT
INSPECTED</source>
        <translation>NOT
INSPECTED</translation>
    </message>
    <message>
        <source>{defect} · reject</source>
        <translation>{defect} · reject</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>pass</translation>
    </message>
    <message>
        <source>{ms} ms</source>
        <translation>{ms} ms</translation>
    </message>
    <message>
        <source>held before any model looked · {time}</source>
        <translation>held before any model looked · {time}</translation>
    </message>
    <message>
        <source>not decided by {exit} · {score} · {time}</source>
        <translation>not decided by {exit} · {score} · {time}</translation>
    </message>
    <message>
        <source>decided by {exit} · {score} · {time}</source>
        <translation>decided by {exit} · {score} · {time}</translation>
    </message>
    <message>
        <source>no word from the station</source>
        <translation>no word from the station</translation>
    </message>
    <message>
        <source>what is shown is old</source>
        <translation>what is shown is old</translation>
    </message>
    <message>
        <source>station speaks another version</source>
        <translation>station speaks another version</translation>
    </message>
    <message>
        <source>update station and dashboard to the same one</source>
        <translation>update station and dashboard to the same one</translation>
    </message>
    <message>
        <source>camera delivers no pictures</source>
        <translation>camera delivers no pictures</translation>
    </message>
    <message>
        <source>waiting for the first part</source>
        <translation>waiting for the first part</translation>
    </message>
    <message>
        <source>connecting to the station</source>
        <translation>connecting to the station</translation>
    </message>
    <message>
        <source>station is starting</source>
        <translation>station is starting</translation>
    </message>
    <message>
        <source>station is stopping</source>
        <translation>station is stopping</translation>
    </message>
    <message>
        <source>station has stopped</source>
        <translation>station has stopped</translation>
    </message>
    <message>
        <source>station has a fault</source>
        <translation>station has a fault</translation>
    </message>
    <message>
        <source>call an engineer</source>
        <translation>call an engineer</translation>
    </message>
</context>
<context>
    <name>Latency</name>
    <message>
        <source>Latency p50 / p99</source>
        <translation>Latency p50 / p99</translation>
    </message>
    <message>
        <source>{p50} / {p99} ms</source>
        <translation>{p50} / {p99} ms</translation>
    </message>
    <message>
        <source>{rate} parts/s</source>
        <translation>{rate} parts/s</translation>
    </message>
</context>
<context>
    <name>Light</name>
    <message>
        <source>Camera</source>
        <translation>Camera</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>Records</source>
        <translation>Records</translation>
    </message>
    <message>
        <source>MES</source>
        <translation>MES</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Disk</translation>
    </message>
</context>
<context>
    <name>Misjudgements</name>
    <message>
        <source>Against the truth</source>
        <translation>Against the truth</translation>
    </message>
    <message>
        <source>Escapes</source>
        <translation>Escapes</translation>
    </message>
    <message>
        <source>Overkill</source>
        <translation>Overkill</translation>
    </message>
    <message>
        <source>not known</source>
        <translation>not known</translation>
    </message>
    <message>
        <source>Escapes: defective parts passed. Overkill: good parts rejected.</source>
        <translation>Escapes: defective parts passed. Overkill: good parts rejected.</translation>
    </message>
</context>
<context>
    <name>Pages</name>
    <message>
        <source>Station</source>
        <translation>Station</translation>
    </message>
</context>
<context>
    <name>Pareto</name>
    <message>
        <source>Rejects by defect</source>
        <translation>Rejects by defect</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>none yet</translation>
    </message>
    <message>
        <source>others</source>
        <translation>others</translation>
    </message>
</context>
<context>
    <name>Picture</name>
    <message>
        <source>Live</source>
        <translation>Live</translation>
    </message>
    <message>
        <source>Last NG</source>
        <translation>Last NG</translation>
    </message>
    <message>
        <source>True defect</source>
        <translation>True defect</translation>
    </message>
    <message>
        <source>last NG · {time}</source>
        <translation>last NG · {time}</translation>
    </message>
    <message>
        <source>{verdict} · {time} · part {part}</source>
        <translation>{verdict} · {time} · part {part}</translation>
    </message>
    <message>
        <source>last part · {time}</source>
        <translation>last part · {time}</translation>
    </message>
    <message>
        <source>{verdict} · {time}</source>
        <translation>{verdict} · {time}</translation>
    </message>
    <message>
        <source>live · {time}</source>
        <translation>live · {time}</translation>
    </message>
    <message>
        <source>no picture</source>
        <translation>no picture</translation>
    </message>
    <message>
        <source>NOT LIVE</source>
        <translation>NOT LIVE</translation>
    </message>
    <message>
        <source>old picture, of {time}</source>
        <translation>old picture, of {time}</translation>
    </message>
    <message>
        <source>true defect: {name}</source>
        <translation>true defect: {name}</translation>
    </message>
</context>
<context>
    <name>Station</name>
    <message>
        <source>The station&apos;s messages cannot be read</source>
        <translation>The station&apos;s messages cannot be read</translation>
    </message>
    <message>
        <source>Station and dashboard are of different versions: update both to the same one.</source>
        <translation>Station and dashboard are of different versions: update both to the same one.</translation>
    </message>
    <message>
        <source>No word from the station</source>
        <translation>No word from the station</translation>
    </message>
    <message>
        <source>No word from the station since {time}</source>
        <translation>No word from the station since {time}</translation>
    </message>
    <message>
        <source>Check that it runs and that the network is plugged in. This screen connects again by itself.</source>
        <translation>Check that it runs and that the network is plugged in. This screen connects again by itself.</translation>
    </message>
    <message>
        <source>the station did not answer</source>
        <translation>the station did not answer</translation>
    </message>
    <message>
        <source>Not acknowledged: {reason}</source>
        <translation>Not acknowledged: {reason}</translation>
    </message>
</context>
<context>
    <name>VoidReason</name>
    <message>
        <source>a band was set by hand</source>
        <translation>a band was set by hand</translation>
    </message>
    <message>
        <source>other stages than certified</source>
        <translation>other stages than certified</translation>
    </message>
    <message>
        <source>a model file was changed</source>
        <translation>a model file was changed</translation>
    </message>
    <message>
        <source>another precision</source>
        <translation>another precision</translation>
    </message>
    <message>
        <source>another device</source>
        <translation>another device</translation>
    </message>
    <message>
        <source>another kind of CPU</source>
        <translation>another kind of CPU</translation>
    </message>
    <message>
        <source>another OpenVINO</source>
        <translation>another OpenVINO</translation>
    </message>
    <message>
        <source>it cannot be read</source>
        <translation>it cannot be read</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>Inspector</source>
        <translation>Inspector</translation>
    </message>
</context>
</TS>
