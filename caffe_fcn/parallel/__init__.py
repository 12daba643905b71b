"""Several processes that train one net together, each on its GPU: gradients are averaged before every update."""
