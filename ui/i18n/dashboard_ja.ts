<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ja_JP">
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
        <translation>保留</translation>
    </message>
</context>
<context>
    <name>AlarmCode</name>
    <message>
        <source>Camera delivers no pictures</source>
        <translation>カメラの画像が届きません</translation>
    </message>
    <message>
        <source>Verdicts cannot be recorded</source>
        <translation>判定を記録できません</translation>
    </message>
    <message>
        <source>MES not answering</source>
        <translation>MESが応答しません</translation>
    </message>
    <message>
        <source>MES refuses messages</source>
        <translation>MESがメッセージを拒否しています</translation>
    </message>
    <message>
        <source>Changed settings not accepted</source>
        <translation>変更された設定は適用されません</translation>
    </message>
    <message>
        <source>Parts come faster than they can be inspected</source>
        <translation>検査が流れの速さに追いつきません</translation>
    </message>
    <message>
        <source>Many parts in a row held</source>
        <translation>保留が連続しています</translation>
    </message>
    <message>
        <source>A model stage fails</source>
        <translation>モデルの処理に失敗しています</translation>
    </message>
    <message>
        <source>Disk nearly full</source>
        <translation>ディスクの空きが少なくなりました</translation>
    </message>
</context>
<context>
    <name>AlarmRemedy</name>
    <message>
        <source>Check the camera&apos;s cable and power. Inspection goes on by itself when pictures come again.</source>
        <translation>カメラのケーブルと電源を確認してください。画像が戻れば検査は自動で再開します。</translation>
    </message>
    <message>
        <source>Parts are held meanwhile. Check disk space and the database; it goes on by itself.</source>
        <translation>その間の部品は保留されます。ディスクの空きとデータベースを確認してください。復旧後は自動で再開します。</translation>
    </message>
    <message>
        <source>The line goes on. Check the broker and the network; what waits is sent by itself.</source>
        <translation>ラインは継続します。ブローカーとネットワークを確認してください。未送信分は自動で送信されます。</translation>
    </message>
    <message>
        <source>The line goes on and messages are kept. Check user, password and rights at the broker.</source>
        <translation>ラインは継続し、メッセージは保存されます。ブローカーのユーザー、パスワード、権限を確認してください。</translation>
    </message>
    <message>
        <source>The line goes on with the last good settings. Correct the file; it is read again by itself.</source>
        <translation>直前の正しい設定でラインは継続します。ファイルを修正すると自動で読み込まれます。</translation>
    </message>
    <message>
        <source>Parts that come too fast are held. Slow the line down, or call an engineer.</source>
        <translation>間に合わない部品は保留されます。ラインを減速するか、技術者を呼んでください。</translation>
    </message>
    <message>
        <source>Look at the held parts and at camera and light. Call an engineer when it stays.</source>
        <translation>保留品とカメラ、照明を確認してください。続く場合は技術者を呼んでください。</translation>
    </message>
    <message>
        <source>Parts are held. Restart the station; call an engineer when it comes again.</source>
        <translation>部品は保留されます。ステーションを再起動し、再発する場合は技術者を呼んでください。</translation>
    </message>
    <message>
        <source>Free disk space before the disk is full: parts are held then.</source>
        <translation>満杯になると部品が保留されます。その前に空き容量を確保してください。</translation>
    </message>
</context>
<context>
    <name>Alarms</name>
    <message>
        <source>Station: {message}</source>
        <translation>ステーションからの通知: {message}</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>次へ</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>確認</translation>
    </message>
    <message>
        <source>Alarms of the station before: {count}</source>
        <translation>切断前のアラーム: {count}件</translation>
    </message>
    <message>
        <source>No alarms</source>
        <translation>アラームなし</translation>
    </message>
    <message>
        <source>Alarms are not known</source>
        <translation>アラームの状態は不明です</translation>
    </message>
    <message>
        <source>{title}: over since {until}, began {since}</source>
        <translation>{title}（{since} 発生、{until} 復旧）</translation>
    </message>
    <message>
        <source>{title} since {since} · acknowledged</source>
        <translation>{title}（{since} から）・確認済み</translation>
    </message>
    <message>
        <source>{title} since {since}</source>
        <translation>{title}（{since} から）</translation>
    </message>
</context>
<context>
    <name>Certificate</name>
    <message>
        <source>added escapes</source>
        <translation>追加見逃し</translation>
    </message>
    <message>
        <source>added overkill</source>
        <translation>追加過検出</translation>
    </message>
    <message>
        <source>added misnaming</source>
        <translation>追加の種類違い</translation>
    </message>
    <message>
        <source>relative to the full model only</source>
        <translation>本モデルとの比較のみ</translation>
    </message>
    <message>
        <source>labels</source>
        <translation>ラベル基準</translation>
    </message>
    <message>
        <source>uncertified</source>
        <translation>未認証</translation>
    </message>
    <message>
        <source>void: {reason}</source>
        <translation>無効: {reason}</translation>
    </message>
</context>
<context>
    <name>CertificateShort</name>
    <message>
        <source>escapes</source>
        <translation>見逃し</translation>
    </message>
    <message>
        <source>overkill</source>
        <translation>過検出</translation>
    </message>
    <message>
        <source>names</source>
        <translation>種類違い</translation>
    </message>
    <message>
        <source>vs full model</source>
        <translation>本モデル比</translation>
    </message>
    <message>
        <source>labels</source>
        <translation>ラベル基準</translation>
    </message>
    <message>
        <source>added: {bounds}</source>
        <translation>追加: {bounds}</translation>
    </message>
</context>
<context>
    <name>Counters</name>
    <message>
        <source>Parts</source>
        <translation>総数</translation>
    </message>
    <message>
        <source>Pass</source>
        <translation>合格</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>不良</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>保留</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>良品率</translation>
    </message>
    <message>
        <source>Last known, of {time}</source>
        <translation>{time} 時点の値</translation>
    </message>
    <message>
        <source>Parts do not add up ({missing}): stop and call an engineer</source>
        <translation>部品数が合いません（{missing}）。停止して技術者を呼んでください</translation>
    </message>
    <message>
        <source>All parts accounted for, {count} in work</source>
        <translation>全数照合済み（処理中 {count}）</translation>
    </message>
    <message>
        <source>All parts accounted for</source>
        <translation>全数照合済み</translation>
    </message>
</context>
<context>
    <name>Defect</name>
    <message>
        <source>scratch</source>
        <translation>キズ</translation>
    </message>
    <message>
        <source>dent</source>
        <translation>打痕</translation>
    </message>
    <message>
        <source>chip</source>
        <translation>欠け</translation>
    </message>
    <message>
        <source>crack</source>
        <translation>割れ</translation>
    </message>
    <message>
        <source>burr</source>
        <translation>バリ</translation>
    </message>
    <message>
        <source>stain</source>
        <translation>汚れ</translation>
    </message>
    <message>
        <source>hole</source>
        <translation>穴</translation>
    </message>
    <message>
        <source>blowhole</source>
        <translation>巣穴</translation>
    </message>
    <message>
        <source>break</source>
        <translation>破損</translation>
    </message>
    <message>
        <source>fray</source>
        <translation>ほつれ</translation>
    </message>
    <message>
        <source>uneven</source>
        <translation>ムラ</translation>
    </message>
    <message>
        <source>missing screw</source>
        <translation>ねじ欠品</translation>
    </message>
    <message>
        <source>missing</source>
        <translation>欠品</translation>
    </message>
    <message>
        <source>contamination</source>
        <translation>異物</translation>
    </message>
    <message>
        <source>discoloration</source>
        <translation>変色</translation>
    </message>
    <message>
        <source>pitting</source>
        <translation>ピッチング</translation>
    </message>
    <message>
        <source>inclusion</source>
        <translation>介在物</translation>
    </message>
    <message>
        <source>defect</source>
        <translation>欠陥</translation>
    </message>
</context>
<context>
    <name>Exit</name>
    <message>
        <source>front</source>
        <translation>前段</translation>
    </message>
    <message>
        <source>middle</source>
        <translation>中段</translation>
    </message>
    <message>
        <source>full</source>
        <translation>本モデル</translation>
    </message>
</context>
<context>
    <name>ExitMix</name>
    <message>
        <source>Where parts were decided</source>
        <translation>判定した段の割合</translation>
    </message>
    <message>
        <source>certificate: {sentence}</source>
        <translation>証明書: {sentence}</translation>
    </message>
</context>
<context>
    <name>Film</name>
    <message>
        <source>empty</source>
        <translation>空</translation>
    </message>
    <message>
        <source>no picture</source>
        <translation>画像なし</translation>
    </message>
    <message>
        <source>Last NG and HOLD: tap to look</source>
        <translation>直近のNG・保留（タップで拡大）</translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message>
        <source>Recipe</source>
        <translation>レシピ</translation>
    </message>
    <message>
        <source>Part</source>
        <translation>部品</translation>
    </message>
    <message>
        <source>SIMULATED</source>
        <translation>模擬ライン</translation>
    </message>
    <message>
        <source>No station</source>
        <translation>ステーション未接続</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>言語</translation>
    </message>
    <message>
        <source>Colours</source>
        <translation>配色</translation>
    </message>
    <message>
        <source>Light, dark or high contrast</source>
        <translation>明るい、暗い、ハイコントラスト</translation>
    </message>
    <message>
        <source>Certificate</source>
        <translation>証明書</translation>
    </message>
</context>
<context>
    <name>HoldReason</name>
    <message>
        <source>no picture</source>
        <translation>画像なし</translation>
    </message>
    <message>
        <source>wrong format</source>
        <translation>画像形式違い</translation>
    </message>
    <message>
        <source>black</source>
        <translation>真っ黒</translation>
    </message>
    <message>
        <source>overexposed</source>
        <translation>白飛び</translation>
    </message>
    <message>
        <source>blurred</source>
        <translation>ピンぼけ</translation>
    </message>
    <message>
        <source>half a picture</source>
        <translation>画像欠損</translation>
    </message>
    <message>
        <source>frozen picture</source>
        <translation>画像停止</translation>
    </message>
    <message>
        <source>invalid score</source>
        <translation>スコア異常</translation>
    </message>
    <message>
        <source>undecided</source>
        <translation>判定不能</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>モデル異常</translation>
    </message>
    <message>
        <source>overload</source>
        <translation>過負荷</translation>
    </message>
    <message>
        <source>deadline</source>
        <translation>時間切れ</translation>
    </message>
    <message>
        <source>not recorded</source>
        <translation>記録不可</translation>
    </message>
    <message>
        <source>internal error</source>
        <translation>内部エラー</translation>
    </message>
</context>
<context>
    <name>Lamp</name>
    <message>
        <source>NOT
INSPECTED</source>
        <translation>未検査</translation>
    </message>
    <message>
        <source>{defect} · reject</source>
        <translation>{defect}・排出</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>合格</translation>
    </message>
    <message>
        <source>{ms} ms</source>
        <translation>{ms} ms</translation>
    </message>
    <message>
        <source>held before any model looked · {time}</source>
        <translation>モデル判定前に保留・{time}</translation>
    </message>
    <message>
        <source>not decided by {exit} · {score} · {time}</source>
        <translation>{exit}でも判定不能・{score}・{time}</translation>
    </message>
    <message>
        <source>decided by {exit} · {score} · {time}</source>
        <translation>{exit}で判定・{score}・{time}</translation>
    </message>
    <message>
        <source>no word from the station</source>
        <translation>ステーションから応答なし</translation>
    </message>
    <message>
        <source>what is shown is old</source>
        <translation>表示は古い内容です</translation>
    </message>
    <message>
        <source>station speaks another version</source>
        <translation>バージョンが一致しません</translation>
    </message>
    <message>
        <source>update station and dashboard to the same one</source>
        <translation>ステーションと画面を同じ版にしてください</translation>
    </message>
    <message>
        <source>camera delivers no pictures</source>
        <translation>カメラの画像が届きません</translation>
    </message>
    <message>
        <source>waiting for the first part</source>
        <translation>最初の部品を待っています</translation>
    </message>
    <message>
        <source>connecting to the station</source>
        <translation>ステーションに接続中</translation>
    </message>
    <message>
        <source>station is starting</source>
        <translation>ステーション起動中</translation>
    </message>
    <message>
        <source>station is stopping</source>
        <translation>ステーション停止中</translation>
    </message>
    <message>
        <source>station has stopped</source>
        <translation>ステーションは停止しました</translation>
    </message>
    <message>
        <source>station has a fault</source>
        <translation>ステーションに異常があります</translation>
    </message>
    <message>
        <source>call an engineer</source>
        <translation>技術者を呼んでください</translation>
    </message>
</context>
<context>
    <name>Latency</name>
    <message>
        <source>Latency p50 / p99</source>
        <translation>処理時間 p50 / p99</translation>
    </message>
    <message>
        <source>{p50} / {p99} ms</source>
        <translation>{p50} / {p99} ms</translation>
    </message>
    <message>
        <source>{rate} parts/s</source>
        <translation>毎秒 {rate} 個</translation>
    </message>
</context>
<context>
    <name>Light</name>
    <message>
        <source>Camera</source>
        <translation>カメラ</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Records</source>
        <translation>記録</translation>
    </message>
    <message>
        <source>MES</source>
        <translation>MES</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>ディスク</translation>
    </message>
</context>
<context>
    <name>Misjudgements</name>
    <message>
        <source>Against the truth</source>
        <translation>正解との比較</translation>
    </message>
    <message>
        <source>Escapes</source>
        <translation>見逃し</translation>
    </message>
    <message>
        <source>Overkill</source>
        <translation>過検出</translation>
    </message>
    <message>
        <source>not known</source>
        <translation>正解不明</translation>
    </message>
    <message>
        <source>Escapes: defective parts passed. Overkill: good parts rejected.</source>
        <translation>見逃し: 合格にした不良品。過検出: 不良にした良品。</translation>
    </message>
</context>
<context>
    <name>Pages</name>
    <message>
        <source>Station</source>
        <translation>ステーション</translation>
    </message>
</context>
<context>
    <name>Pareto</name>
    <message>
        <source>Rejects by defect</source>
        <translation>不良の内訳</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>まだありません</translation>
    </message>
    <message>
        <source>others</source>
        <translation>その他</translation>
    </message>
</context>
<context>
    <name>Picture</name>
    <message>
        <source>Live</source>
        <translation>ライブ</translation>
    </message>
    <message>
        <source>Last NG</source>
        <translation>直近のNG</translation>
    </message>
    <message>
        <source>True defect</source>
        <translation>実際の欠陥</translation>
    </message>
    <message>
        <source>last NG · {time}</source>
        <translation>直近のNG・{time}</translation>
    </message>
    <message>
        <source>{verdict} · {time} · part {part}</source>
        <translation>{verdict}・{time}・部品 {part}</translation>
    </message>
    <message>
        <source>last part · {time}</source>
        <translation>直近の部品・{time}</translation>
    </message>
    <message>
        <source>{verdict} · {time}</source>
        <translation>{verdict}・{time}</translation>
    </message>
    <message>
        <source>live · {time}</source>
        <translation>ライブ・{time}</translation>
    </message>
    <message>
        <source>no picture</source>
        <translation>画像なし</translation>
    </message>
    <message>
        <source>NOT LIVE</source>
        <translation>ライブではありません</translation>
    </message>
    <message>
        <source>old picture, of {time}</source>
        <translation>{time} の古い画像です</translation>
    </message>
    <message>
        <source>true defect: {name}</source>
        <translation>実際の欠陥: {name}</translation>
    </message>
</context>
<context>
    <name>Station</name>
    <message>
        <source>The station&apos;s messages cannot be read</source>
        <translation>ステーションのメッセージを読み取れません</translation>
    </message>
    <message>
        <source>Station and dashboard are of different versions: update both to the same one.</source>
        <translation>ステーションと画面のバージョンが異なります。同じ版に更新してください。</translation>
    </message>
    <message>
        <source>No word from the station</source>
        <translation>ステーションから応答がありません</translation>
    </message>
    <message>
        <source>No word from the station since {time}</source>
        <translation>{time} からステーションの応答がありません</translation>
    </message>
    <message>
        <source>Check that it runs and that the network is plugged in. This screen connects again by itself.</source>
        <translation>ステーションの動作とネットワークを確認してください。この画面は自動で再接続します。</translation>
    </message>
    <message>
        <source>the station did not answer</source>
        <translation>ステーションが応答しません</translation>
    </message>
    <message>
        <source>Not acknowledged: {reason}</source>
        <translation>確認できませんでした: {reason}</translation>
    </message>
</context>
<context>
    <name>VoidReason</name>
    <message>
        <source>a band was set by hand</source>
        <translation>しきい値が手動で設定された</translation>
    </message>
    <message>
        <source>other stages than certified</source>
        <translation>認証時と段の構成が異なる</translation>
    </message>
    <message>
        <source>a model file was changed</source>
        <translation>モデルファイルが変更された</translation>
    </message>
    <message>
        <source>another precision</source>
        <translation>演算精度が異なる</translation>
    </message>
    <message>
        <source>another device</source>
        <translation>デバイスが異なる</translation>
    </message>
    <message>
        <source>another kind of CPU</source>
        <translation>CPUの種類が異なる</translation>
    </message>
    <message>
        <source>another OpenVINO</source>
        <translation>OpenVINOの版が異なる</translation>
    </message>
    <message>
        <source>it cannot be read</source>
        <translation>証明書を読み取れない</translation>
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
