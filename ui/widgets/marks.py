"""Shapes that say the same as their colour and their word: tick, cross, bars, slash, warning triangle."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from ui.shown import Lamp


def lamp_mark(painter: QPainter, lamp: Lamp, box: QRectF, color: QColor) -> None:
    """The lamp's shape in `box`, in `color`: tick OK, cross NG, two bars HOLD, crossed-out circle NOT INSPECTED."""
    side = min(box.width(), box.height())
    square = QRectF(box.center().x() - side / 2, box.center().y() - side / 2, side, side)
    pen = QPen(color, side * 0.16, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.save()
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if lamp is Lamp.OK:
        painter.drawPolyline(QPolygonF([_at(square, 0.10, 0.54), _at(square, 0.38, 0.82), _at(square, 0.90, 0.20)]))
    elif lamp is Lamp.NG:
        painter.drawLine(_at(square, 0.14, 0.14), _at(square, 0.86, 0.86))
        painter.drawLine(_at(square, 0.86, 0.14), _at(square, 0.14, 0.86))
    elif lamp is Lamp.HOLD:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(color))
        for left in (0.18, 0.58):
            bar = QRectF(_at(square, left, 0.08), _at(square, left + 0.24, 0.92))
            painter.drawRoundedRect(bar, side * 0.05, side * 0.05)
    else:
        pen.setWidthF(side * 0.11)
        painter.setPen(pen)
        painter.drawEllipse(square.adjusted(side * 0.08, side * 0.08, -side * 0.08, -side * 0.08))
        painter.drawLine(_at(square, 0.24, 0.76), _at(square, 0.76, 0.24))
    painter.restore()


def health_mark(painter: QPainter, box: QRectF, color: QColor) -> None:
    """A small circle with a tick: in order."""
    painter.save()
    painter.setPen(QPen(color, box.width() * 0.10, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    inner = box.adjusted(box.width() * 0.06, box.height() * 0.06, -box.width() * 0.06, -box.height() * 0.06)
    painter.drawEllipse(inner)
    painter.drawPolyline(QPolygonF([_at(box, 0.29, 0.52), _at(box, 0.45, 0.67), _at(box, 0.72, 0.35)]))
    painter.restore()


def warning_mark(painter: QPainter, box: QRectF, fill: QColor, mark: QColor) -> None:
    """A filled triangle with an exclamation mark: not in order."""
    painter.save()
    painter.setPen(
        QPen(fill, box.width() * 0.08, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    )
    painter.setBrush(QBrush(fill))
    painter.drawPolygon(QPolygonF([_at(box, 0.5, 0.10), _at(box, 0.96, 0.90), _at(box, 0.04, 0.90)]))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(mark))
    painter.drawRoundedRect(
        QRectF(_at(box, 0.455, 0.36), _at(box, 0.545, 0.66)), box.width() * 0.04, box.width() * 0.04
    )
    painter.drawEllipse(_at(box, 0.5, 0.78), box.width() * 0.055, box.width() * 0.055)
    painter.restore()


def unknown_mark(painter: QPainter, box: QRectF, color: QColor) -> None:
    """A dashed circle: nothing is known."""
    painter.save()
    painter.setPen(QPen(color, box.width() * 0.10, Qt.PenStyle.DotLine))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(
        box.adjusted(box.width() * 0.06, box.height() * 0.06, -box.width() * 0.06, -box.height() * 0.06)
    )
    painter.restore()


def hatch(painter: QPainter, rect: QRectF, color: QColor, width: float) -> None:
    """Diagonal stripes over `rect`."""
    painter.save()
    painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(color, width))
    step = width * 2.8
    x = rect.left() - rect.height()
    while x < rect.right():
        painter.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.top()))
        x += step
    painter.restore()


def _at(box: QRectF, x: float, y: float) -> QPointF:
    return QPointF(box.left() + x * box.width(), box.top() + y * box.height())
