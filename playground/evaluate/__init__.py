"""Evidence for a choice: what models answer to a dataset's cases, and what that is worth.

dataset.py      cases, and what they are made of
                dataset_files.py  files → cases;  dataset_sources.py  history and training sets → cases
                dataset_out.py  cases → files;  dataset_kept.py  the store's;  dataset_view.py  browsed, with its facts
spec.py         what a sweep tries, checked (spec_files.py reads YAML and JSON; spec_values.py its fields)
plan.py         a spec's calls, numbered, lazily;  plan_cost.py  what they may cost and take
metrics/        an answer's score, and a set's
sweeping.py     a sweep begun, gone on with, foreseen
running.py      its calls: at a pace (pace.py, lanes.py), in a budget, asked (calling.py), scored and kept (writing.py)
batching.py     the same by the file: batch_out.py, batch_back.py (batch_state.py  what these share), batch_lines.py,
                batch_sending.py, batch_merging.py;  work.py  what both ways share
underway.py     the sweeps that this process runs;  stored.py  datasets by their names
results.py      what came of them, as figures;  report.py  JSON and CSV of that, report_page.py HTML (report_parts.py)
comparison.py   systems side by side against a baseline;  table.py  as JSON, table_page.py HTML
resampling.py   intervals and tests of figures that only all answers together have
rating.py       what people rate, blind, in which order;  rating_results.py  what comes of it; rating_sheet.py  sheets
kept_figures.py what took seconds to work out, in the store
opened.py       results that were looked at last;  outputs.py  their answers by pages, filtered and sorted
statistics.py   intervals, paired tests, agreement, Pareto front; verdict.py  a winner, or "no difference shown"
"""
