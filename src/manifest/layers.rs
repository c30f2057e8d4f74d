//! Tables laid over one another: `[defaults]` under the service, `[...on.OS]` and `[...on.BACKEND]` over it.
//!
//! Nothing is merged: a key is looked up in the layers from the top down, in nested tables too, so merging key by key
//! costs no copy.

use super::decode::{Field, Table};

/// How many layers there are at most: defaults and service, each with an `on.OS` and an `on.BACKEND`.
const DEPTH: usize = 6;

/// The layers of one table, the top first.
#[derive(Debug)]
pub(crate) struct Layers<'a, T>([Option<&'a T>; DEPTH]);

impl<T> Clone for Layers<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Layers<'_, T> {}

impl<'a, T> Layers<'a, T> {
    /// From the top down; what is None is not there.
    pub(crate) fn new(tables: impl IntoIterator<Item = Option<&'a T>>) -> Self {
        let mut layers = [None; DEPTH];
        for (slot, table) in layers.iter_mut().zip(tables.into_iter().flatten()) {
            *slot = Some(table);
        }
        Self(layers)
    }

    /// From the top down.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let layers = self.0;
        layers.into_iter().flatten()
    }

    /// A key's value in the highest layer that gives it.
    pub(crate) fn get<V>(&self, field: impl Fn(&'a T) -> &'a Option<Field<V>>) -> Option<&'a Field<V>> {
        self.iter().find_map(|table| field(table).as_ref())
    }

    /// The layers of a table below; None where no layer has it.
    pub(crate) fn below<U: Table>(&self, field: impl Fn(&'a T) -> &'a Option<Field<Box<U>>>) -> Option<Layers<'a, U>> {
        let below = self.0.map(|table| field(table?).as_ref().map(|field| &*field.value));
        below.iter().any(Option::is_some).then_some(Layers(below))
    }

    /// The highest layer of which something is true: where a choice among keys was made last.
    pub(crate) fn choice(&self, chosen: impl Fn(&T) -> bool) -> Option<&'a T> {
        self.iter().find(|table| chosen(table))
    }
}
