//! Which events become lines, and how a line looks.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::AUDIT_TARGET;
use super::fields::Fields;
use super::output::Output;
use super::queue::Queue;
use crate::config::{LogFormat, LogLevel};

/// What our own code logs under: its modules, and the line for each request. All else is a library, which
/// might log headers and so tokens.
const OWN_TARGETS: [&str; 2] = [env!("CARGO_CRATE_NAME"), "access"];

/// A library whose errors say again, three times, what the error of the call says as well.
const REPEATING_TARGET: &str = "rustls_platform_verifier";

/// Which events and spans are written.
pub(super) struct Choice(ArcSwap<LogLevel>);

impl Choice {
    pub(super) fn new(level: LogLevel) -> Self {
        Self(ArcSwap::from_pointee(level))
    }

    /// Changes the level. What was decided about each place in the code is decided anew.
    pub(super) fn set_level(&self, level: LogLevel) {
        self.0.store(Arc::new(level));
        tracing::callsite::rebuild_interest_cache();
    }

    /// Audit lines are written whatever the level, our own up to the level, those of libraries up to `warn`.
    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let root = target.split_once("::").map_or(target, |(root, _)| root);
        if root == REPEATING_TARGET {
            return false;
        }
        let own = OWN_TARGETS.contains(&root);
        // Our spans are always taken: a line at `error` needs the request's id as well.
        if metadata.is_span() {
            return own && *metadata.level() <= Level::INFO;
        }
        let most = most_verbose(**self.0.load());
        target == AUDIT_TARGET || *metadata.level() <= if own { most } else { most.min(Level::WARN) }
    }
}

fn most_verbose(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error | LogLevel::Fatal => Level::ERROR,
    }
}

/// Where lines go.
pub(super) enum Sink {
    /// Written by a thread of its own.
    Queue(Arc<Queue>),
    /// Written at once, for tests.
    Direct(Output),
}

impl Sink {
    fn write(&self, line: String) {
        match self {
            Self::Queue(queue) => queue.push(line.into_bytes()),
            Self::Direct(output) => write_at_once(output, &line),
        }
    }

    /// Writes a line that room was made for before.
    fn write_promised(&self, line: String) {
        match self {
            Self::Queue(queue) => queue.push_promised(line.into_bytes()),
            Self::Direct(output) => write_at_once(output, &line),
        }
    }
}

fn write_at_once(output: &Output, line: &str) {
    let _ = output.take(line.as_bytes()).and_then(|()| output.flush());
}

/// Turns events into lines. One layer for all of them: with filters of their own, two layers would each be
/// asked about every event, while one is asked once for each place in the code.
pub(super) struct Lines {
    pub(super) choice: Arc<Choice>,
    pub(super) format: LogFormat,
    pub(super) ordinary: Sink,
    /// JSON where audit lines have an output of their own; beside other lines they look as those do.
    pub(super) audit_format: LogFormat,
    pub(super) audit: Sink,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.choice.takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.choice.takes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(most_verbose(**self.choice.0.load()).max(Level::INFO)))
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                of_span.0.iter().for_each(|(name, value)| fields.set(name.clone(), value.clone()));
            }
        }
        event.record(&mut fields);
        if event.metadata().target() != AUDIT_TARGET {
            self.ordinary.write(Line::new(Utc::now(), event.metadata(), fields).in_format(self.format));
        } else if let Some(record) = fields.take(RECORD_FIELD) {
            let line = match self.audit_format {
                LogFormat::Json => one_line(record),
                LogFormat::Text => Line::of_record(&record).text(),
            };
            if fields.take(RESERVED_FIELD).is_some_and(|reserved| reserved == "true") {
                self.audit.write_promised(line);
            } else {
                self.audit.write(line);
            }
        } else {
            let mut line = Line::new(Utc::now(), event.metadata(), fields);
            line.fields.set(TIME, line.timestamp.clone().into());
            self.audit.write(line.in_format(self.audit_format));
        }
    }
}

/// An audit event's field that holds the whole line, as JSON.
const RECORD_FIELD: &str = "record";
/// The field beside it that says whether room was reserved for the line.
const RESERVED_FIELD: &str = "reserved";
/// What audit lines have always called their time, beside what all lines call it.
const TIME: &str = "time";

fn one_line(record: String) -> String {
    let mut line = if record.contains('\n') { record.replace('\n', " ") } else { record };
    line.push('\n');
    line
}

struct Line {
    timestamp: String,
    level: Cow<'static, str>,
    target: String,
    message: String,
    fields: Fields,
}

/// Names that a line has anyway.
const RESERVED: [&str; 4] = ["timestamp", "level", "target", "message"];
/// What the `log` crate's records carry instead of a target of their own.
const LOG_TARGET: &str = "log.target";
const LOG_CLUTTER: [&str; 3] = ["log.module_path", "log.file", "log.line"];

impl Line {
    fn new(now: DateTime<Utc>, metadata: &Metadata<'_>, mut fields: Fields) -> Self {
        let message = fields.take("message").unwrap_or_default();
        let target = fields.take(LOG_TARGET).unwrap_or_else(|| metadata.target().to_owned());
        fields.0.retain(|(name, _)| !LOG_CLUTTER.contains(&name.as_ref()));
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => "debug",
        };
        let (timestamp, level) = (now.to_rfc3339_opts(SecondsFormat::Millis, true), level.into());
        Self { timestamp, level, target, message, fields }
    }

    /// The line that an audit record is, for people.
    fn of_record(record: &str) -> Self {
        // A record is an object; should it ever be none, it is shown as it is.
        let mut fields = serde_json::from_str(record).unwrap_or_else(|_| {
            let mut fields = Fields::default();
            fields.set("message", record.into());
            fields
        });
        fields.take(TIME);
        let mut take = |name| fields.take(name).unwrap_or_default();
        let (timestamp, level) = (take("timestamp"), take("level").into());
        let (target, message) = (take("target"), take("message"));
        Self { timestamp, level, target, message, fields }
    }

    fn in_format(&self, format: LogFormat) -> String {
        match format {
            LogFormat::Json => self.json(),
            LogFormat::Text => self.text(),
        }
    }

    /// One flat object.
    fn json(&self) -> String {
        let mut line = Vec::with_capacity(256);
        // Text and JSON values can't fail to serialise, nor a Vec to take them.
        let _ = self.write_json(&mut serde_json::Serializer::new(&mut line));
        line.push(b'\n');
        String::from_utf8(line).unwrap_or_default()
    }

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("timestamp", &self.timestamp)?;
        object.serialize_entry("level", &self.level)?;
        object.serialize_entry("target", &self.target)?;
        object.serialize_entry("message", &self.message)?;
        for (name, value) in &self.fields.0 {
            if RESERVED.contains(&name.as_ref()) {
                object.serialize_entry(&format!("field.{name}"), value)?;
            } else {
                object.serialize_entry(name, value)?;
            }
        }
        object.end()
    }

    /// For people; what a caller sent can't start a line of its own.
    fn text(&self) -> String {
        let mut line = format!("{} {:5} {}: ", self.timestamp, self.level, self.target);
        escape_into(&mut line, &self.message);
        for (name, value) in &self.fields.0 {
            let plain =
                |text: &&String| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '"');
            // Writing to a String can't fail.
            let _ = match value.as_str().map(str::to_owned).as_ref().filter(plain) {
                Some(text) => write!(line, " {name}={text}"),
                None => write!(line, " {name}={}", printable(value)),
            };
        }
        line.push('\n');
        line
    }
}

fn printable(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => {
            let mut text = String::new();
            escape_into(&mut text, &other.to_string());
            text
        }
    }
}

fn escape_into(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}
