"""The nets that come with the project: what each one is (its card), and how to get its weights."""
