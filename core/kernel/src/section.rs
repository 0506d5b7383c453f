//! The part of `sanctum.toml` that belongs to one service, with its place in the file.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table of the file, or nothing where the file does not mention it.
#[derive(Debug, Clone)]
pub struct Section<'i> {
    table: Option<Spanned<DeTable<'i>>>,
}

/// The first thing wrong with a section, and where: a range of bytes in the file.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub message: String,
    pub span: Option<Range<usize>>,
}

impl<'i> Section<'i> {
    pub const fn absent() -> Self {
        Self { table: None }
    }

    pub const fn of(table: Spanned<DeTable<'i>>) -> Self {
        Self { table: Some(table) }
    }

    pub const fn table(&self) -> Option<&Spanned<DeTable<'i>>> {
        self.table.as_ref()
    }

    pub const fn table_mut(&mut self) -> Option<&mut Spanned<DeTable<'i>>> {
        self.table.as_mut()
    }

    /// The section as a value; its defaults if the file does not mention it.
    pub fn parse<T: DeserializeOwned + Default>(&self) -> Result<T, Fault> {
        let Some(table) = &self.table else { return Ok(T::default()) };
        let value = Spanned::new(table.span(), DeValue::Table(table.get_ref().clone()));
        T::deserialize(toml::de::ValueDeserializer::from(value)).map_err(|error: toml::de::Error| Fault {
            message: error.message().to_owned(),
            span: error.span(),
        })
    }
}
