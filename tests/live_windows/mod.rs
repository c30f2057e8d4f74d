//! What only Windows has.

mod host;
