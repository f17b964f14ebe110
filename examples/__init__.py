"""Small programs over Playground's client: `python -m examples.tweet_sentiment`, `-m examples.guess_the_animal`."""
