//! How plans, outcomes and texts are shown.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::cli::style;
use crate::install::Planned;
use crate::plan::{self, Step};
use crate::report::{Effect, Outcome, Style, View};

/// A text that is its own answer: a schema, a completion script, a rendered file.
pub(super) struct Text {
    /// For people.
    pub(super) text: String,
    /// For machines.
    pub(super) json: Value,
}

impl View for Text {
    fn json(&self) -> Value {
        self.json.clone()
    }

    fn text(&self, _: &Style) -> String {
        self.text.clone()
    }
}

/// Plain data as JSON; what cannot be serialized (it never happens with plain data) is null.
pub(super) fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl View for Outcome {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn text(&self, style: &Style) -> String {
        let mut text = String::new();
        let width = self.units.iter().map(|unit| unit.name.len()).max().unwrap_or(0);
        for unit in self.units.iter().filter(|unit| !style.quiet || unit.effect == Effect::Failed) {
            let word = style::effect(unit.effect, style);
            let mut lines = unit.message.as_deref().unwrap_or("").lines();
            let _ = match lines.next() {
                Some(first) => writeln!(text, "{:width$}  {word}: {}", unit.name, style::harmless(first)),
                None => writeln!(text, "{:width$}  {word}", unit.name),
            };
            for line in lines {
                let _ = writeln!(text, "    {}", style::harmless(line));
            }
        }
        if self.units.is_empty() && !style.quiet {
            let _ = writeln!(text, "nothing to do");
        }
        text.push_str(&style::notes(&self.notes, style));
        text
    }
}

/// `plan`'s JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanJson {
    /// The backend the plan is for.
    pub backend: String,
    /// Whether anything would change.
    pub changes: bool,
    /// What would become of each unit.
    pub units: Vec<PlanUnit>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// What would become of one unit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanUnit {
    /// Its name.
    pub name: String,
    /// What would be done.
    pub effect: Effect,
}

/// A plan that is only shown.
pub(super) struct PlanView(pub(super) Planned);

impl View for PlanView {
    fn json(&self) -> Value {
        let planned = &self.0;
        to_json(&PlanJson {
            backend: planned.backend.name().to_owned(),
            changes: !planned.steps.is_empty(),
            units: planned
                .units
                .iter()
                .map(|(name, effect)| PlanUnit { name: name.clone(), effect: *effect })
                .collect(),
            steps: planned.steps.clone(),
            notes: planned.notes.clone(),
        })
    }

    fn text(&self, style: &Style) -> String {
        let planned = &self.0;
        let mut text = String::new();
        if planned.steps.is_empty() {
            text.push_str("no changes\n");
        }
        for step in &planned.steps {
            let _ = writeln!(text, "{}", style::step(&style::harmless(&step.describe()), style));
            if style.quiet {
                continue;
            }
            let (Step::Write { path, .. } | Step::Remove { path }) = step else { continue };
            let wanted = planned.goal.files.get(path).and_then(|file| file.body.as_ref());
            // Receipts and specs are daemonctl's own books: that they change is said, how is no news.
            if path.extension().is_some_and(|extension| extension == "json") {
                continue;
            }
            for line in plan::diff(planned.now.files.get(path).and_then(Option::as_ref), wanted) {
                let _ = writeln!(text, "    {}", style::diff_line(&style::harmless(&line), style));
            }
        }
        text.push_str(&style::notes(&planned.notes, style));
        text
    }
}

/// A yes that has nothing more to tell: `check`.
pub(super) fn said(text: String, json: Value) -> Text {
    Text { text, json }
}

/// A text as JSON: `completions --json`, `man --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TextJson {
    /// The whole text.
    text: String,
}

/// A text whose JSON is `{"text": ...}`.
pub(super) fn text(text: String) -> Text {
    let json = to_json(&TextJson { text: text.clone() });
    Text { text, json }
}
