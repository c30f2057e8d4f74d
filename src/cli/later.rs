//! Arguments that are put together once their command is the one that was given: of two dozen commands one is.
//!
//! The global flags are among them, so that they are not made for each command either, as clap's own global arguments are.

use clap::builder::{Resettable, StyledStr};
use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::Globals;

/// A command's arguments.
#[derive(Debug)]
pub(super) struct Later<A>(pub(super) A);

impl<A: Args> Args for Later<A> {
    fn augment_args(command: Command) -> Command {
        command.defer(described::<A>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<A: FromArgMatches> FromArgMatches for Later<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// With its arguments and the global ones, and still the command's own description rather than theirs.
fn described<A: Args>(command: Command) -> Command {
    let kept = |text: Option<&StyledStr>| text.cloned().map_or(Resettable::Reset, Resettable::Value);
    let (short, long) = (kept(command.get_about()), kept(command.get_long_about()));
    Globals::augment_args(A::augment_args(command)).about(short).long_about(long)
}
