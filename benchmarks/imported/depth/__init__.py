"""The benchmark of leaving early: `training` trains, `reading` counts, `writing` takes the time."""
