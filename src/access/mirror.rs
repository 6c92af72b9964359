//! What the store holds, in memory: read once, then followed, so that no request waits for the store to know it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::store::StoreError;

/// What was read of the store at one moment.
pub(super) trait Image: Clone {
    /// As long as the store has no other one, it holds what this image does.
    fn revision(&self) -> u64;
}

/// Where images come from.
pub(super) trait Source<I> {
    /// The revision that the store has now. A look that costs little.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// What it holds now.
    async fn read(&self) -> Result<I, StoreError>;

    /// Whether it works, as far as is known.
    fn is_good(&self) -> bool;
}

/// The image in force.
pub(super) struct Mirror<I> {
    /// None until the store was read for the first time.
    image: ArcSwapOption<I>,
    /// Set when the store may hold what the image doesn't.
    is_stale: AtomicBool,
    /// Held by those who change the image, so that no change is lost to another.
    changing: Mutex<()>,
}

impl<I> Default for Mirror<I> {
    fn default() -> Self {
        Self { image: ArcSwapOption::empty(), is_stale: AtomicBool::new(false), changing: Mutex::default() }
    }
}

impl<I: Image> Mirror<I> {
    /// The image in force; none before the store was read for the first time.
    pub(super) fn seen(&self) -> Option<Arc<I>> {
        self.image.load_full()
    }

    /// Reads again if the store has another revision than the image. Not before the image is needed here.
    ///
    /// # Errors
    /// The store can't be read; the image stays.
    pub(super) async fn follow(&self, revision: u64, source: &impl Source<I>) -> Result<(), StoreError> {
        match self.seen() {
            Some(image) if image.revision() != revision => self.refresh(source).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Reads what other processes, or nobody here so far, changed.
    ///
    /// # Errors
    /// The store can't be read; the image stays.
    pub(super) async fn refresh(&self, source: &impl Source<I>) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        if let Some(image) = self.seen()
            && source.revision().await? == image.revision()
        {
            self.is_stale.store(false, Ordering::Relaxed);
            return Ok(());
        }
        let read = source.read().await?;
        self.is_stale.store(false, Ordering::Relaxed);
        self.image.store(Some(Arc::new(read)));
        Ok(())
    }

    /// The image. As long as the store fails, the last one goes on to count.
    ///
    /// # Errors
    /// The store could not be read since the start.
    pub(super) async fn image(&self, source: &impl Source<I>) -> Result<Arc<I>, StoreError> {
        if let Some(image) = self.seen() {
            let is_stale = self.is_stale.load(Ordering::Relaxed);
            if !is_stale || !source.is_good() || Box::pin(self.refresh(source)).await.is_err() {
                return Ok(image);
            }
        }
        // Boxed, since it happens once.
        Box::pin(self.refresh(source)).await?;
        self.seen().ok_or(StoreError::Unavailable("it was not read yet".to_owned()))
    }

    /// Writes to the store, and applies the same to the image.
    ///
    /// # Errors
    /// The store can't be written.
    pub(super) async fn change<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>>,
        apply: impl FnOnce(&mut I, &T),
    ) -> Result<T, StoreError> {
        let _changing = self.changing.lock().await;
        // A write whose outcome is lost, or that is given up, may have been done all the same.
        let mut outcome_is_lost = Doubt { is_stale: &self.is_stale, remains: true };
        let outcome = write.await?;
        outcome_is_lost.remains = false;
        // Its revision stays that of the last reading: the next one finds what others changed meanwhile.
        if let Some(image) = self.seen() {
            let mut image = I::clone(&image);
            apply(&mut image, &outcome);
            self.image.store(Some(Arc::new(image)));
        }
        Ok(outcome)
    }
}

/// Has the image read again, if it remains.
struct Doubt<'a> {
    is_stale: &'a AtomicBool,
    remains: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.remains {
            self.is_stale.store(true, Ordering::Relaxed);
        }
    }
}
