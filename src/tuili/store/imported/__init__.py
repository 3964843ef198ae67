"""What the folder of an imported model holds: a dense decoder in Hugging Face layout, with Tuili's exits beside it.

`dense_config` reads config.json into a `dense_shape`, with `rotary` positions; `foreign_tokenizer` reads any
tokenizer.json and asks by a `chat_template`, which runs in the `template_sandbox` and in which `control_tokens` of
messages stay text; `exits_file` reads and writes the exits. `tuili.store` exports what others use.
"""
