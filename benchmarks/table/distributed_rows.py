"""What a training of several processes sends and loses. What becomes of killed ones is left to `recovery_rows`."""

from __future__ import annotations

from benchmarks.table.rows import bench

_BITS = (2, 3, 4, 8)
_PACKED = {
    "": "",
    "_rotated": ", rotated,",
    "_rotated_preconditioned": ", rotated and preconditioned,",
    "_with_errors": " with the average of what is lost",
    "_rotated_with_errors": ", rotated, with the average of what is lost,",
}
CODEC = (
    *(
        bench(
            f"Packing gradients in {bits} bits, one core: GB/s of fp32 numbers {what}",
            "codec",
            f"{bits}_{call}",
            "{:.1f}",
            "1" if bits == 3 else "none",
        )
        for bits in _BITS
        for call, what in (("encode", "in"), ("decode", "out"))
    ),
    *(
        bench(
            f"{what} gradients in 3 bits{how} one core: GB/s of fp32 numbers {end}", "codec", f"3_{call}", "{:.1f}", "1"
        )
        for what, how, end, call in (
            ("Packing", ", rotated,", "in", "encode_rotated"),
            ("Packing", " with the average of what is lost,", "in", "encode_with_errors"),
            ("Packing", ", rotated, with the average of what is lost,", "in", "encode_rotated_with_errors"),
            ("Unpacking", ", rotated,", "out", "decode_rotated"),
        )
    ),
    *(
        bench(
            f"Link below which 3 bits{how} arrive sooner than {name}, {count} processes, nothing hidden: Gbit/s",
            "codec",
            f"3{way}_pays_over_{name}_by_{count}",
            "{:.1f}",
        )
        for way, how in _PACKED.items()
        for name in ("fp32", "fp16")
        for count in (2, 8)
    ),
)

_SHARED = {
    "alone": "one process",
    "replicas": "two replicas",
    "ddp": "two processes by DDP",
    "fsdp2": "two processes by FSDP2",
    "zero3": "two processes by ZeRO-3",
}
BACKENDS = tuple(
    bench(f"Training `nano` by AdamW, {who}: {what}", "backends", f"{way}{key}", form)
    for key, what, form in (
        ("", "tokens a second", "{:,.0f}"),
        ("_over_alone", "tokens a second over those of one process", "{:.2f}"),
        ("_memory", "GB of memory of all together", "{:.1f}"),
    )
    for way, who in _SHARED.items()
    if way != "alone" or key != "_over_alone"
)

FORMS = {
    "fp32": "fp32",
    "fp16": "fp16",
    "powersgd": "PowerSGD",
    "powersgd_rank_4": "PowerSGD of rank 4",
    "4bit": "4 bits",
    "3bit": "3 bits",
    "3bit_rotated": "3 bits (rotated)",
    "3bit_kept": "3 bits with the average of what is lost",
    "3bit_rotated_preconditioned": "3 bits (rotated, preconditioned)",
    "2bit_rotated_preconditioned": "2 bits (rotated, preconditioned)",
}
"""What tables and pictures call the forms of gradients."""
OF_FSDP2 = {"fsdp2": "FSDP2, fp32", "fsdp2_8bit_weights": "FSDP2, weights in 8 bits"}
"""The same of the forms in which FSDP2 gathers weights."""
_COUNTED = "by the counter of the interface"
SENT = (
    *(
        bench(
            f"Bytes a step of `nano` in {name} less than in fp32, {count} processes, {_COUNTED}",
            "traffic",
            f"{form}_by_{count}_less_than_fp32",
            "{:.1%}",
            "90%" if form.startswith("3bit") else "none",
        )
        for count in (2, 4)
        for form, name in FORMS.items()
        if form in ("fp16", "powersgd", "4bit", "3bit", "3bit_rotated_preconditioned")
    ),
    *(
        bench(
            f"Bytes a step of `nano` in {FORMS[form]} less than in fp16, {count} processes, {_COUNTED}",
            "traffic",
            f"{form}_by_{count}_less_than_fp16",
            "{:.1%}",
            "80%",
        )
        for count in (2, 4)
        for form in ("3bit", "3bit_rotated_preconditioned")
    ),
)

LOSSES = tuple(
    bench(
        f"Loss of a training with gradients in {name} over that with gradients in fp32, same blocks, 5 seeds",
        "gradient_losses",
        f"{form}_over_fp32",
        "{:.3f}",
    )
    for form, name in FORMS.items()
    if form not in ("fp32", "powersgd")
)
CLAIM = bench(
    f"Loss of a training with gradients in {FORMS['3bit_rotated_preconditioned']} over that with gradients in fp32, "
    "same blocks, 5 seeds: upper end of the 95% interval of the geometric mean",
    "gradient_losses",
    "3bit_rotated_preconditioned_over_fp32_at_most",
    "{:.3f}",
    "1.01",
)
WEIGHTS = (
    bench(
        "Loss of a training by FSDP2 that gathers weights in 8 bits over that of one that gathers them in fp32",
        "gradient_losses",
        "fsdp2_8bit_weights_over_fsdp2",
        "{:.3f}",
    ),
    *(
        bench(f"Bytes that two processes send in a step, {name}", "gradient_losses", f"{form}_sent", "{:,.0f}")
        for form, name in OF_FSDP2.items()
    ),
)
EQUAL = tuple(
    bench(
        f"Steps after which {count} processes still had the same bits, gradients in {FORMS[form]}",
        "gradient_losses",
        f"{form}_equal{key}",
        "{:.0f}",
        "200",
    )
    for form in ("3bit", "3bit_rotated_preconditioned")
    for count, key in ((2, ""), (4, "_by_4"))
)
LOSS_SECONDS = bench(
    "Seconds of such a training with gradients in fp32", "gradient_losses", "fp32_seconds", "{:.0f}", "180"
)

_WAYS = {
    "3bit-off": ("gradients in 3 bits without overlap", "1.2"),
    "3bit-off-large": ("gradients in 3 bits without overlap, in DDP's own large buckets", "1.2"),
    "3bit-communication": ("gradients in 3 bits, communication alone overlapped", "none"),
    "fp16-off": ("gradients in fp16 without overlap", "2"),
    "fp16-off-large": ("gradients in fp16 without overlap, in DDP's own large buckets", "2"),
    "fp16-update": ("gradients in fp16, communication and update overlapped", "none"),
}
_OVERLAPPED = (
    "3 bits, rotated and preconditioned, communication and update overlapped, link of 200 Mbit/s in each direction"
)
OVERLAP = (
    *(
        bench(f"Steps a second with {_OVERLAPPED}, over {name}", "overlap", f"faster_than_{way}", "{:.2f}", goal)
        for way, (name, goal) in _WAYS.items()
    ),
    *(
        bench(f"Share of the {what} that is hidden, {_OVERLAPPED}", "overlap", f"3bit-update_{what}_hidden", "{:.0%}")
        for what in ("communication", "update")
    ),
    bench(
        "Megabits a second of single messages over this link, as large as a bucket in 3 bits",
        "overlap",
        "link",
        "{:.0f}",
    ),
)
