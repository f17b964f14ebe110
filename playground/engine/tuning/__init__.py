"""Files, fine-tuning jobs and what they make: OpenAI's API, kept in a folder of plain files.

    <data>/lock                 who runs the jobs
    <data>/files/file-…/        file.json (OpenAI's object) and content
    <data>/jobs/ftjob-…/        job.json, events.jsonl, plan.json, train.jsonl, valid.jsonl, results.csv, checkpoints/

From the outside in:

    routes       the addresses, in OpenAI's shapes;  uploads: a file as it comes in;  following: events as they happen
    asked        what a request for a job may hold;  paging: a list's pages
    service      the parts, made once
    supervisor   one job trains at a time, others queue; a job that was cut goes on from its last checkpoint
    training_run one job's way from its files to its model
    remains      what is left of a job that has ended
    worker       the process that trains: started, heard, stopped;  child: what that process runs, and that it never
                 outlives the engine
    lines        a training file, line by line: what is wrong with it, and where
    examples     lines → tokens and which of them are learnt, by the engine's own tokenizer and chat template
    plans        what "auto" comes to; is there memory and disk for it
    models       fine-tunes and checkpoints by name;  export: base and adapter as one GGUF
    jobs, events, files, folder    what is written down, and how
"""
