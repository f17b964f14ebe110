"""What answers are worth. One file a family; `build.py` makes the metrics that a spec names.

metric.py      what a metric is
matching.py    exact match, contains, regular expression, JSON schema
labels.py      classification: an answer as a label, precision, recall, F1, confusion matrix
overlap.py     BLEU and chrF (sacrebleu), METEOR (nltk)
diversity.py   distinct-n, self-BLEU;  novelty.py  what answers have copied from a training file
domain.py      how close answers are to a training set (TF-IDF), and which are off it
judge.py       a model as judge: what it is asked, and how its verdict is read
human.py       people's ratings and votes: Cohen's kappa, Krippendorff's alpha, win rates
"""
