//! Vetted recipes, and the guards before them.
