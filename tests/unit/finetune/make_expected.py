"""Makes tests/unit/data/prepare_data.json: odd training files, and what OpenAI's own tool makes of each.

Run once, with a Python that has openai==0.28.1, pandas==2.1.4 and openpyxl, and no network:

    python make_expected.py ../data/prepare_data.json 140 28

The files come from a seed (28). Of each: `outputs` (a file's name → its pairs; none where the tool finds nothing to
do), or `error` (the rule that refused the file), or `crash`. One bug of the tool is mended here, as it is in the
project: it drops long rows by position where it should by label. Cells that pandas confuses (True beside 1) are left
out.
"""

import base64
import contextlib
import csv
import io
import json
import os
import random
import sys
import tempfile
from functools import partial

WORDS = ["la", "de", "que", "un", "el", "Sol", "Luna", "MAR", "río", "ñandú", "東京", "🙂", "yes", "no", "12", "3.5"]
WORDS += ["ACCEPT", "REJECT", "NA", "None", "null", "->", "END", "***", "+++", ".", ",", ";", "|", "'", '"', "\\", "/"]
STARTS = ("", "", "", "Question: ", "Translate this text: ", " ", "\n")
ENDS = ("", "", "", " ->", "?", "\n\n###\n\n", "\n\n===\n\n", "\n", ".", " END", "a long common ending")
LABELS = (
    ["yes", "no"],
    [" yes", " no"],
    ["spam\n", "ham\n"],
    ["A", "B", "C", "NA"],
    ["label: 1", "label: 2", "label: "],
)


def text(chance, most=8):
    words = chance.choices(WORDS, k=chance.randint(0, most))
    joined = chance.choice((" ", " ", " ", "\n")).join(words)
    return joined.upper() if chance.random() < 0.2 else joined


def pairs(chance):
    style = chance.choice(("conditional", "conditional", "classification", "open", "same"))
    start, end = chance.choice(STARTS), chance.choice(ENDS)
    begin, stop = chance.choice((*STARTS, "Answer: ", " Answer: ")), chance.choice(ENDS)
    upper, labels = chance.random() < 0.15, chance.choice(LABELS)
    made = []
    for number in range(chance.choice((1, 2, 3, 5, 8, 13, 40))):
        prompt = "" if style == "open" else f"{start}{text(chance)} {number if chance.random() < 0.8 else ''}{end}"
        completion = chance.choice(labels) if style == "classification" else f"{begin}{text(chance)}{stop}"
        if style == "same":
            completion = "always this"
        if chance.random() < 0.05:
            completion = ""
        if chance.random() < 0.007:
            completion = "ten chars " * 1_000 + str(number)
        made.append([prompt.upper() if upper else prompt, completion])
        while chance.random() < 0.1:
            made.append(list(chance.choice(made)))
    return made


def header(chance):
    usual, odd = ("prompt", "completion"), (("Prompt", "COMPLETION"), ("completion", "prompt"), ("question", "answer"))
    return chance.choice((*[usual] * 8, *odd))


def delimited(chance, delimiter):
    names, rows = list(header(chance)), pairs(chance)
    if names == ["completion", "prompt"]:
        rows = [row[::-1] for row in rows]
    if chance.random() < 0.3:
        names, rows = [*names, "id"], [[*row, str(at)] for at, row in enumerate(rows)]
    made = io.StringIO()
    ending = chance.choice(("\n", "\r\n"))
    quoting = chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(made, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(names)
    for row in rows:
        writer.writerow(row[: -1 if chance.random() < 0.03 else None])
        if chance.random() < 0.05:
            made.write(ending)
    whole = made.getvalue()
    return (("\ufeff" if chance.random() < 0.2 else "") + whole).encode()


def lines(chance):
    names, rows = header(chance), pairs(chance)
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    if chance.random() < 0.2:
        objects = [{**each, "weight": at} for at, each in enumerate(objects)]
    ascii_ = chance.random() < 0.5
    return "\n".join(json.dumps(each, ensure_ascii=ascii_) for each in objects).encode()


def array(chance):
    names, rows = header(chance), pairs(chance)
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=chance.choice((None, 2))).encode()


def plain(chance):
    return chance.choice(("\n", "\r\n")).join(text(chance) for _ in range(chance.randint(1, 30))).encode()


def workbook(chance):
    import openpyxl

    book = openpyxl.Workbook()
    if chance.random() < 0.3:
        book.create_sheet("second")
    sheet = book.worksheets[0]
    sheet.append(header(chance))
    for at, row in enumerate(pairs(chance)):
        # Excel's own cells: numbers, whole or not, truth values and nothing.
        cells = [
            chance.choice((at + 2, at + 2.5, at + 2.0, True, None)) if chance.random() < 0.1 else cell for cell in row
        ]
        sheet.append(cells)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


COMMAS, TABS = partial(delimited, delimiter=","), partial(delimited, delimiter="\t")
MAKERS = (
    *(("csv", COMMAS), ("tsv", TABS), ("jsonl", lines), ("json", array)),
    *(("txt", plain), ("xlsx", workbook), ("csv", COMMAS)),
)


def mend(tool):
    apply = tool.apply_optional_remediation

    def short(table):
        return table[table.prompt.str.len() + table.completion.str.len() <= 10_000]

    def mended(table, remediation, auto_accept):
        if remediation.name == "long_examples" and remediation.optional_fn:
            remediation = remediation._replace(optional_fn=short)
        return apply(table, remediation, auto_accept)

    tool.apply_optional_remediation = mended


def original(tool, name, data):
    """What the tool writes, as lists of pairs; its error's rule; or None where it crashes or does not write."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        problem = io.StringIO()
        try:
            with contextlib.redirect_stderr(problem):
                table, remediation = tool.read_any_format(path)
                tool.apply_necessary_remediation(None, remediation)
                rules = tool.get_validators()
                tool.apply_validators(table, path, remediation, rules, True, write_out_file_func=tool.write_out_file)
        except SystemExit:
            return {"error": problem.getvalue().split(" validator")[0].split()[-1]}
        except Exception as error:
            return {"crash": type(error).__name__}
        outputs = {}
        for each in sorted(os.listdir(folder)):
            if each != name:
                with open(os.path.join(folder, each), encoding="utf-8", newline="\n") as file:
                    records = [json.loads(line) for line in file if line.strip()]
                outputs[each] = [[record["prompt"], record["completion"]] for record in records]
        return {"outputs": outputs}


def main():
    from openai import validators as tool

    mend(tool)
    target, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance, cases = random.Random(seed), []
    for number in range(count):
        ending, make = MAKERS[number % len(MAKERS)]
        data, name = make(chance), f"case{number}.{ending}"
        cases.append({"name": name, "data": base64.b64encode(data).decode(), **original(tool, name, data)})
    with open(target, "w", encoding="utf-8") as file:
        json.dump(cases, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
