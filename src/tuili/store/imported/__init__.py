"""The contents of an imported model's folder: a dense decoder in Hugging Face layout, together with Tuili's exits.

`dense_config` reads config.json into a `dense_shape`, with `rotary` positions. `foreign_tokenizer` reads any
tokenizer.json and applies a `chat_template`; `control_tokens` keeps the texts of messages from becoming control tokens.
The template runs in the `template_sandbox`: it may call `template_functions`; `template_checks` checks their arguments,
and `template_meter` enforces the limits. `exits_file` reads and writes the exits. `tuili.store` exports the public
names.
"""
