"""What was measured, summed up, and as Markdown: ratios first, because seconds are this machine's."""

import numpy as np

from benchmarks.speed.iterations import OURS


def summarize(measured):
    """Returns the figures of one `iterations.measure`.

    Returns:
        dict of ``faster``: {side: its seconds over tfface's in the same round, median of rounds, smallest, largest},
        ``share``: {side: operations a second in its fastest round over those of the fastest product of the run},
        ``share_median``: likewise of the medians, ``peak``: that product's operations a second and who made it,
        ``seconds``: {side: median}, ``pictures_per_second``: {side: ...}.
    """
    seconds = {name: np.array(side["seconds"]) for name, side in measured["sides"].items()}
    rates = {name: np.array(each) for name, each in measured["products"].items() if each}
    best = max(rates, key=lambda name: rates[name].max())
    middle = max(np.median(each) for each in rates.values())
    faster = {}
    for name, each in seconds.items():
        if name != OURS:
            ratios = each / seconds[OURS]
            faster[name] = [float(value) for value in (np.median(ratios), ratios.min(), ratios.max())]
    work = measured["operations"]
    return {
        "faster": faster,
        "share": {name: float(work / each.min() / rates[best].max()) for name, each in seconds.items()},
        "share_median": {name: float(work / np.median(each) / middle) for name, each in seconds.items()},
        "peak": {"by": best, "gflops": float(rates[best].max() / 1e9)},
        "seconds": {name: float(np.median(each)) for name, each in seconds.items()},
        "pictures_per_second": {name: float(measured["batch"] / np.median(each)) for name, each in seconds.items()},
    }


def document(results):
    """Returns results as a Markdown page."""
    machine = results["machine"]
    lines = ["# tfface's speed", "", f"`{results['command']}`, {results['date']}", ""]
    if results["quick"]:
        lines += [
            "**Made with `--quick`: tiny networks and one round. It shows that the command works, nothing else.**",
            "",
        ]
    lines += [_machine(machine), ""]
    if machine["load_before"] > machine["cores"] / 4:
        busy = "Other work was running. It slows the sides down differently (OpenMP's threads wait for each other)"
        lines += [f"**{busy}, so these ratios are not worth quoting.**", ""]
    for part in ("iterations", "latency", "feeding", "growth"):
        if results.get(part):
            lines += [*globals()[f"_{part}"](results[part]), ""]
    return "\n".join(lines)


def _machine(machine):
    known = {name.removesuffix(" version"): value for name, value in machine.items() if name.endswith(" version")}
    versions = ", ".join(f"{name} {value}" for name, value in known.items())
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    return (
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['flags']) or 'no flags known'}), "
        f"{machine['memory_gib']} GiB, {gpus}; load before {machine['load_before']}. Python {machine['python']}, "
        f"{versions}."
    )


def _table(heads, rows):
    return [
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows),
    ]


def _what(measured):
    return f"{measured['model']}, batch {measured['batch']}, {measured['precision']}"


def _iterations(measured):
    rows, more = [], []
    for each in measured:
        if "skipped" in each:
            rows.append([_what(each), each["skipped"], "", "", "", ""])
            continue
        s = each["summary"]
        ratios = [f"{m:.2f} ({low:.2f} to {high:.2f})" for m, low, high in s["faster"].values()]
        share = [f"{100 * s['share'][OURS]:.0f} % ({100 * s['share_median'][OURS]:.0f} %)"]
        share += [f"{100 * max(value for name, value in s['share'].items() if name != OURS):.0f} %"]
        rows.append([_what(each), *ratios, *share, f"{s['peak']['gflops']:.0f} ({s['peak']['by']})"])
        for name, side in each["sides"].items():
            took = side["seconds"]
            more.append(
                [
                    _what(each), name, f"{s['seconds'][name]:.3f} ({min(took):.3f} to {max(took):.3f})",
                    f"{s['pictures_per_second'][name]:.2f}", f"{side['memory_mb']:.0f}",
                ]
            )  # fmt: skip
    heads = [
        "iteration", "times as fast as PyTorch channels_last", "as PyTorch contiguous",
        "share of the GEMM peak (medians)", "PyTorch's best share", "peak, GFLOP/s",
    ]  # fmt: skip
    notes = [
        "## Training iterations",
        "",
        "One update of the discriminator with its gradient penalty and one of the generator, both with Adam, and the"
        " averaged weights: tfface's train step with `n_critic=1`, against the same in eager PyTorch, checked to have"
        " the same losses. Ratios are medians of rounds (smallest to largest). The share is the fastest round's of the"
        " fastest float32 product of TensorFlow, PyTorch and NumPy in the same run; operations are counted in"
        " `benchmarks/speed/flops.py`.",
        "",
    ]
    sides = ["iteration", "side", "seconds, median (range)", "pictures/s", "memory at most, MB"]
    return [*notes, *_table(heads, rows), "", *_table(sides, more)]


def _latency(measured):
    ours = "SavedModel"
    rows = []
    for each in measured:
        base = each["milliseconds"].get(ours)
        for name, value in each["milliseconds"].items():
            middle, low, high = value
            rows.append(
                [
                    f"{each['model']}, {each['pictures']} of {each['size']} px", name, f"{base[0] / middle:.2f}",
                    f"{middle:.1f} ({low:.1f} to {high:.1f})", f"{1e3 * each['pictures'] / middle:.1f}",
                    f"{each['difference'].get(name, 0):.1e}",
                ]
            )  # fmt: skip
    heads = ["edit of", "by", "times the SavedModel's speed", "ms, median (range)", "pictures/s", "largest difference"]
    return ["## Edits", "", *_table(heads, rows)]


def _feeding(measured):
    rows = [[each["what"], f"{each['per_second']:.1f}", each["unit"], each["about"]] for each in measured]
    return ["## Rendering, reading, labelling", "", *_table(["what", "a second", "of", "how"], rows)]


def _growth(measured):
    rows = []
    for each in measured:
        first = each["points"][0]
        for point in each["points"]:
            cost = point["seconds"] / first["seconds"]
            rows.append(
                [
                    each["what"], point["at"], f"{cost:.2f}", f"{cost / (point['work'] / first['work']):.2f}",
                    f"{point['seconds']:.3f}", f"{point['memory_mb']:.0f}" if point.get("memory_mb") else "",
                ]
            )  # fmt: skip
    heads = ["what grows", "to", "times the first's time", "per unit of work", "seconds", "memory at most, MB"]
    return ["## Growth", "", *_table(heads, rows)]
