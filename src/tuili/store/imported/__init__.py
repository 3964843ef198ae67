"""What the folder of an imported model holds: a dense decoder in Hugging Face layout, with Tuili's exits beside it.

`dense_config` reads config.json into a `dense_shape`, with `rotary` positions; `foreign_tokenizer` reads any
tokenizer.json and asks by a `chat_template`, in which `control_tokens` of messages stay text. The template runs in the
`template_sandbox`: it may call `template_functions`, whose arguments have `template_checks`, within the bounds of
`template_meter`. `exits_file` reads and writes the exits. `tuili.store` exports what others use.
"""
