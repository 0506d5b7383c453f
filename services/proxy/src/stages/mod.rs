//! Optional stages of the pipeline, each off by default.
