//! Small scheduled looks with one verdict each; only a red one pages.
