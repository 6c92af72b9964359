//! Files that are watched while the service runs, and put in force when they changed: compared by content, since
//! Kubernetes replaces what is mounted by swapping a symbolic link.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::metrics::{self, ReloadOutcome, Reloaded};

/// How often files are looked at.
pub(super) const LOOKED_AT_EVERY: Duration = Duration::from_secs(30);
/// A file that changed counts only once two looks so far apart agree: until then it may be half-written.
const LOOKS_APART: Duration = Duration::from_secs(1);
/// A file that still changes after so many looks is given up until it is time to look again.
const MAX_LOOKS: usize = 10;
/// The problem with such a file.
pub(super) const KEEPS_CHANGING: &str = "the file keeps changing: no two looks, a second apart, agree";

/// When to look: regularly, and when somebody asks for it.
pub(super) struct Looks {
    asked: watch::Receiver<()>,
    clock: Clock,
}

impl Looks {
    pub(super) fn new(asked: watch::Receiver<()>, clock: Clock) -> Self {
        Self { asked, clock }
    }

    /// Waits for the next look, and returns whether somebody asked for it. Those who ask during a look get one more.
    pub(super) async fn next(&mut self) -> bool {
        tokio::select! {
            Ok(()) = self.asked.changed() => true,
            () = self.clock.sleep(LOOKED_AT_EVERY) => false,
        }
    }

    /// What is there now, if it is what was `seen`; else what is there once two looks agree. Nothing while it keeps
    /// changing. Looking may block.
    pub(super) async fn look<T>(
        &self,
        seen: impl Fn(&T) -> bool,
        look: impl Fn() -> T + Clone + Send + 'static,
    ) -> Option<T>
    where
        T: PartialEq + Send + 'static,
    {
        // A panic there was logged; the next look tries again.
        let mut last = tokio::task::spawn_blocking(look.clone()).await.ok()?;
        if seen(&last) {
            return Some(last);
        }
        for _ in 1..MAX_LOOKS {
            self.clock.sleep(LOOKS_APART).await;
            let now = tokio::task::spawn_blocking(look.clone()).await.ok()?;
            if now == last {
                return Some(now);
            }
            last = now;
        }
        None
    }
}

/// One or more files that are of use only together.
pub(super) trait Watched: Send + Sync + 'static {
    /// Its label in metrics.
    const LABEL: Reloaded;
    /// What is logged with the reason when the files can't be used.
    const REFUSED: &'static str;
    /// What is in the files.
    type Content: PartialEq + Send + Sync + 'static;

    /// Reads the files; may block.
    fn read(&self) -> Result<Self::Content, String>;

    /// Whether that is what is in force.
    fn is_in_force(&self, content: &Self::Content) -> bool;

    /// Puts it in force and logs that; or says why it can't be used, and leaves the old in force.
    fn replace(&self, content: &Self::Content) -> Result<(), String>;
}

/// Keeps the content of files in force. What is wrong with them is logged when it first shows, and to those who ask.
pub(super) async fn watch<W: Watched>(watched: Arc<W>, mut looks: Looks) {
    let mut refused: Option<Result<W::Content, String>> = None;
    let mut logged = None;
    loop {
        let is_asked = looks.next().await;
        let reader = watched.clone();
        let is_known = |now: &Result<W::Content, String>| {
            refused.as_ref() == Some(now) || now.as_ref().is_ok_and(|now| watched.is_in_force(now))
        };
        let now = looks.look(is_known, move || reader.read()).await;
        let outcome = match &now {
            Some(Ok(content)) if watched.is_in_force(content) => Ok(false),
            Some(Ok(content)) => watched.replace(content).map(|()| true),
            Some(Err(problem)) => Err(problem.clone()),
            None => Err(KEEPS_CHANGING.to_owned()),
        };
        match &outcome {
            Ok(true) => metrics::reload(W::LABEL, ReloadOutcome::Success),
            Ok(false) => metrics::in_force(W::LABEL, true),
            Err(problem) if is_asked || logged.as_ref() != Some(problem) => {
                metrics::reload(W::LABEL, ReloadOutcome::Failure);
                tracing::error!(error = problem, "{}", W::REFUSED);
            }
            Err(_) => {}
        }
        refused = now.filter(|_| outcome.is_err());
        logged = outcome.err();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A file that a test writes, and what was put in force of it.
    struct File {
        content: Mutex<Result<String, String>>,
        in_force: Mutex<Vec<String>>,
        looks: AtomicUsize,
        /// Whether it is another one at each look.
        is_restless: bool,
    }

    impl File {
        fn new(is_restless: bool) -> Arc<Self> {
            let (content, in_force) = (Mutex::new(Ok("old".to_owned())), Mutex::new(vec!["old".to_owned()]));
            Arc::new(Self { content, in_force, looks: AtomicUsize::new(0), is_restless })
        }

        fn write(&self, content: Result<&str, &str>) {
            *self.content.lock().unwrap() = content.map(str::to_owned).map_err(str::to_owned);
        }

        fn in_force(&self) -> Vec<String> {
            self.in_force.lock().unwrap().clone()
        }

        fn looks(&self) -> usize {
            self.looks.load(Ordering::SeqCst)
        }
    }

    impl Watched for File {
        const LABEL: Reloaded = Reloaded::Certificate;
        const REFUSED: &'static str = "the old file stays in force";
        type Content = String;

        fn read(&self) -> Result<String, String> {
            let look = self.looks.fetch_add(1, Ordering::SeqCst);
            if self.is_restless { Ok(look.to_string()) } else { self.content.lock().unwrap().clone() }
        }

        fn is_in_force(&self, content: &String) -> bool {
            self.in_force().last() == Some(content)
        }

        fn replace(&self, content: &String) -> Result<(), String> {
            if content == "bad" {
                return Err("it is bad".to_owned());
            }
            self.in_force.lock().unwrap().push(content.clone());
            Ok(())
        }
    }

    /// The file under watch.
    struct Watch {
        file: Arc<File>,
        clock: Clock,
        asked: watch::Sender<()>,
    }

    impl Watch {
        fn of(file: Arc<File>) -> Self {
            let (clock, asked) = (Clock::manual(), watch::Sender::new(()));
            tokio::spawn(watch(file.clone(), Looks::new(asked.subscribe(), clock.clone())));
            Self { file, clock, asked }
        }

        /// Lets so much time pass, again and again, until there were so many looks.
        async fn until_looks(&self, count: usize, step: Duration) {
            while self.file.looks() < count {
                self.clock.advance(step);
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_change_counts_once_two_looks_a_second_apart_agree() {
        let watch = Watch::of(File::new(false));
        let file = &watch.file;
        watch.until_looks(1, LOOKED_AT_EVERY).await;
        for (looks, half) in [(2, "n"), (3, "ne"), (4, "new")] {
            file.write(Ok(half));
            watch.until_looks(looks, if looks == 2 { LOOKED_AT_EVERY } else { LOOKS_APART }).await;
            assert_eq!(file.in_force(), ["old"], "{half} was seen once");
        }
        watch.until_looks(5, LOOKS_APART).await;
        watch.until_looks(6, LOOKED_AT_EVERY).await;
        assert_eq!(file.in_force(), ["old", "new"]);
    }

    #[tokio::test]
    async fn what_is_bad_or_gone_changes_nothing_until_it_is_put_right() {
        let watch = Watch::of(File::new(false));
        let file = &watch.file;
        for (looks, content) in [(2, Ok("bad")), (4, Err("it is gone"))] {
            file.write(content);
            watch.until_looks(looks, LOOKED_AT_EVERY).await;
        }
        // What was seen to be gone is looked at once, as long as it is.
        watch.until_looks(5, LOOKED_AT_EVERY).await;
        assert_eq!(file.in_force(), ["old"]);
        file.write(Ok("new"));
        watch.until_looks(8, LOOKED_AT_EVERY).await;
        assert_eq!(file.in_force(), ["old", "new"]);
    }

    #[tokio::test]
    async fn a_file_that_never_stands_still_is_given_up_and_looked_at_again_later() {
        let file = File::new(true);
        let (clock, asked) = (Clock::manual(), watch::Sender::new(()));
        let (looks, reader) = (Looks::new(asked.subscribe(), clock.clone()), file.clone());
        let look = tokio::spawn(async move { looks.look(|_| false, move || reader.read()).await });
        while !look.is_finished() {
            clock.advance(LOOKS_APART);
            tokio::task::yield_now().await;
        }
        assert_eq!((look.await.unwrap(), file.looks()), (None, MAX_LOOKS));
        let watch = Watch::of(file);
        watch.until_looks(3 * MAX_LOOKS, LOOKED_AT_EVERY).await;
        assert_eq!(watch.file.in_force(), ["old"]);
    }

    #[tokio::test]
    async fn those_who_ask_get_a_look_at_once_and_many_at_once_share_it() {
        let watch = Watch::of(File::new(false));
        tokio::task::yield_now().await;
        for _ in 0..100 {
            watch.asked.send_replace(());
        }
        watch.until_looks(1, Duration::ZERO).await;
        // One who asks during a look gets one of their own.
        watch.asked.send_replace(());
        watch.until_looks(2, Duration::ZERO).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(watch.file.looks(), 2, "no more than that");
    }
}
