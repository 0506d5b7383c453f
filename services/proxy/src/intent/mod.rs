//! What a request wants and how private it is, read from its text: deterministic, without a model.
