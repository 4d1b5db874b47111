"""The comparison as Markdown and as the JSON of the last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.peering.comparison import Compared, Point
from evaluation.statistics import Interval


def comparison_table(rows: Sequence[Compared]) -> str:
    lines = [
        "| kind | peer | N | ours | ours, accuracy at the peer's FLOPs | peer, accuracy | difference, points | "
        "GFLOPs, ours / peer | calls, ours / peer | after the end, ours / peer | our default − peer, points | ours |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        costs = f"{one.ours_flops / 1e9:.2f} / {one.peer.flops / 1e9:.2f}"
        calls = f"{one.ours_calls:.1f} / {one.peer.calls:.1f}"
        ends = f"{one.ours_after_end:.2f} / {one.peer.after_end:.2f}"
        lines.append(
            f"| {one.row.kind} | {one.row.peer} | {one.peer.n} | {one.row.ours} | {one.ours_accuracy} | "
            f"{one.peer_accuracy} | {_points(one.difference)} | {costs} | {calls} | {ends} | "
            f"{_points(one.default_difference)} | {standing(one)} |"
        )
    return "\n".join(lines)


def standing(one: Compared) -> str:
    place = "first" if one.first else "within the interval" if one.first_or_within else "behind"
    return place + (", dearer" if one.dearer else "")


def curve_table(points: Mapping[tuple[str, int], Point]) -> str:
    lines = [
        "| method | N | accuracy | GFLOPs | tokens written | tokens verified | calls | verifier calls | after the end "
        "| failed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, n), one in sorted(points.items()):
        lines.append(
            f"| {name} | {n} | {one.accuracy:.3f} | {one.flops / 1e9:.3f} | {one.generated_tokens:.0f} | "
            f"{one.verified_tokens:.0f} | {one.calls:.1f} | {one.verifier_calls:.1f} | {one.after_end:.2f} | "
            f"{one.failed:.2f} |"
        )
    return "\n".join(lines)


def result(rows: Sequence[Compared], points: Mapping[tuple[str, int], Point], facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "ours_first_or_within": all(one.first_or_within for one in rows) if rows else None,
        "behind": [f"{one.row.ours}: {one.row.peer} at N = {one.peer.n}" for one in rows if not one.first_or_within],
        "rows": [_row(one) for one in rows],
        "calls_after_end": {
            "ours": sum(one.after_end for one in points.values() if one.method not in _peers(rows)),
            "peers": {f"{one.row.peer} {one.peer.n}": round(one.peer.after_end, 3) for one in rows},
        },
        **facts,
    }


def _peers(rows: Sequence[Compared]) -> set[str]:
    return {one.row.peer for one in rows}


def _row(one: Compared) -> dict[str, Any]:
    return {
        "kind": one.row.kind,
        "peer": one.row.peer,
        "n": one.peer.n,
        "ours": one.row.ours,
        "ours_accuracy": _numbers(one.ours_accuracy),
        "peer_accuracy": _numbers(one.peer_accuracy),
        "difference": _numbers(one.difference),
        "default_minus_peer": _numbers(one.default_difference),
        "ours_flops": one.ours_flops,
        "peer_flops": one.peer.flops,
        "ours_calls": round(one.ours_calls, 2),
        "peer_calls": round(one.peer.calls, 2),
        "ours_after_end": round(one.ours_after_end, 3),
        "peer_after_end": round(one.peer.after_end, 3),
        "ours_first": one.first,
        "ours_first_or_within": one.first_or_within,
        "note": standing(one),
    }


def _numbers(one: Interval) -> list[float]:
    return [round(number, 5) for number in (one.value, one.low, one.high)]


def _points(one: Interval) -> str:
    scaled = [100 * number for number in (one.value, one.low, one.high)]
    return f"{scaled[0]:+.1f} [{scaled[1]:+.1f}, {scaled[2]:+.1f}]"
