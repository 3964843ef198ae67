"""What saving costs a training, and how it goes on where its processes are killed."""

from __future__ import annotations

from benchmarks.table.rows import Row, bench, figure, joined, middle, results, text

SAVED = (
    Row(
        "What saving costs a run of replicas, over one that does not save",
        results("saving"),
        (
            joined(
                "{}, every {} steps of {} tokens, {} parameters",
                figure("cost", "{:.1%}"),
                lambda record: str(record["config"]["interval"]),
                lambda record: f"{record['config']['tokens_a_step']:,}",
                lambda record: f"{record['figures']['parameters']['median'] / 1e6:.1f}M",
            ),
            text("2%"),
        ),
    ),
    bench("Share of a run for which saving holds up its steps", "saving", "held_up", "{:.1%}"),
    bench("Writes of a checkpoint that take longer than the steps to the next one", "saving", "outlasted", "{:.0f}"),
)

_VICTIMS = {
    "worker": "one process is killed",
    "launcher": "the launcher is killed",
    "saving": "all processes are killed while they save",
    "starting": "a process or the launcher is killed, and one more while the run starts again",
}
RECOVERED = (
    Row(
        "Kills of a training of two processes at random moments: of a process, the launcher, all while they save, one "
        "during a restart, all while the model is written",
        results("recovery"),
        (middle("kills", "{:.0f}"), text("30")),
    ),
    Row(
        "Seconds from a kill to the first step behind it: median, and 95 of 100 kills",
        results("recovery"),
        (joined("{} and {}", middle("recovery", "{:.1f}"), middle("recovery_p95", "{:.1f}")), text("20")),
    ),
    *(
        bench(f"Seconds from a kill to the first step behind it where {what}", "recovery", f"{key}_recovery", "{:.1f}")
        for key, what in _VICTIMS.items()
    ),
    bench("Kills behind which at most one interval was done again", "recovery", "within_interval", "{:.0%}", "100%"),
    bench(
        "Kills behind which no more was done again than one interval, and the steps beside a write that was cut",
        "recovery",
        "within_bound",
        "{:.0%}",
        "none",
    ),
    *(
        bench(
            f"Steps that are done again where {what}, over those between two checkpoints",
            "recovery",
            f"{key}_lost",
            "{:.2f}",
            "1",
        )
        for key, what in _VICTIMS.items()
    ),
    bench("Steps that are done beside the writing of a checkpoint", "recovery", "write_steps", "{:.0f}"),
    bench("Kills that cut the writing of a checkpoint", "recovery", "half_saved", "{:.0f}"),
    bench("Goodput of a training with these kills, measured once", "recovery", "goodput", "{:.0%}"),
    *(
        Row(
            f"Goodput of a training of which something is killed every {seconds} s, measured once",
            results("recovery"),
            (
                joined(
                    "{} with {} kills",
                    middle(f"goodput_every_{seconds}", "{:.0%}"),
                    middle(f"kills_every_{seconds}", "{:.0f}"),
                ),
                text(goal),
            ),
        )
        for seconds, goal in ((60, "60%"), (300, "90%"))
    ),
    bench(
        "Times that a killed run ended with an error, and its command was given again",
        "recovery",
        "given_again",
        "{:.0f}",
        "0",
    ),
    Row(
        "Killed runs that ended with the bytes of one left alone",
        results("recovery"),
        (
            lambda record: "{:.0f} of {}".format(
                sum(record["figures"]["same_bytes"]["runs"]), record["figures"]["same_bytes"]["n"]
            ),
            text("all"),
        ),
    ),
)
