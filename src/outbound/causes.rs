//! Errors with their causes, in one line.

/// An error, its cause, the cause of that, and so on.
pub fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}

/// An error with its causes in one line; the outermost alone says too little. Of those that end with what their cause
/// says, only the cause is repeated.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let first_line = |cause: &(dyn std::error::Error + 'static)| {
        cause.to_string().lines().next().unwrap_or_default().to_owned()
    };
    let texts: Vec<String> = causes(error).map(first_line).collect();
    let adds_something =
        |at: &usize| !texts[at + 1..].iter().any(|later| texts[*at].ends_with(later.as_str()));
    (0..texts.len()).filter(adds_something).map(|at| texts[at].as_str()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with a text of its own and a cause.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_named_once() {
        let texts = [
            "Service Error: Reqwest Error: sending failed",
            "Reqwest Error: sending failed",
            "sending failed",
            "client error (Connect)",
            "invalid peer certificate: UnknownIssuer\nand more lines",
            "invalid peer certificate: UnknownIssuer",
        ];
        let layers = texts.into_iter().rev().fold(None, |cause, text| Some(Box::new(Layer(text, cause))));
        let expected = "sending failed: client error (Connect): invalid peer certificate: UnknownIssuer";
        assert_eq!(chain(&*layers.unwrap()), expected);
        assert_eq!(chain(&Layer("alone", None)), "alone");
    }
}
