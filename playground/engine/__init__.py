"""The embedded engine: an OpenAI-compatible server over llama.cpp, in a process of its own.

`python -m playground.engine --port N`. Nothing of the app imports this package, and it imports nothing of the app but
`gguf`, which reads a model file's header (is it one, how long is its context, what bytes is each token), and `memory`,
which asks how much of it there is. They meet over HTTP, as with any other server. From the outside in:

    __main__     the process: arguments, the port, the parent that it must not outlive
    gone         a client that goes away stops what it asked for
    app          routes, the key, errors in OpenAI's shape
    schemas      what a request may hold
    completions  /v1/completions: choices, echo, best_of, the legacy shape
    chat         /v1/chat/completions: the same generation behind the model's chat template
    scoring      how likely a prompt's own tokens were
    generation   one choice as it is generated; several side by side
    room         who may generate now, and who waits
    llama        llama.cpp's own server, on a loopback port that only we know the key of
    weights      which GGUF is served
    shelf        which models there are: the base, and every GGUF of a folder, told of from their headers
    budget       what each takes of memory, and how long a context there is room for
    trial        a file is tried in a process of its own before it is loaded for the first time
    serving      which models answer by name: the base, the folder's, and the fine-tunes that are asked for
    waiting      a stream says that its model is being loaded;  cards: what is said of each model
    tuning/      OpenAI's files and fine-tuning API, and who trains when (its __init__ draws its own rooms)
"""
