use std::io::Write;
use std::sync::mpsc;

use super::*;

/// More than any machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A writer that a test holds up, as a pipe that nobody reads, or has fail, as a full disk.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Door>, Condvar)>);

#[derive(Default)]
struct Door {
    is_shut: bool,
    fails: bool,
    text: Vec<u8>,
}

impl Gate {
    fn set(&self, change: impl FnOnce(&mut Door)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.0.lock().unwrap().text.clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let door = self.0.0.lock().unwrap();
        let mut door = self.0.1.wait_while(door, |door| door.is_shut).unwrap();
        if door.fails {
            return Err(ErrorKind::StorageFull.into());
        }
        door.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn queue(gate: &Gate, bounds: Bounds, failure: Failure) -> Arc<Queue> {
    Queue::start(Output::stream(gate.clone()), bounds, failure, "test").unwrap()
}

const SMALL: Bounds = Bounds { lines: 10, bytes: 10_000 };

#[test]
fn a_reader_who_comes_back_gets_every_line_that_room_was_promised_for() {
    let gate = Gate::default();
    gate.set(|door| door.is_shut = true);
    let queue = queue(&gate, SMALL, Failure::Waits);
    let mut promised = 0;
    while let Some(room) = queue.promise(100) {
        queue.push_promised(format!("line {promised}\n").into_bytes());
        drop(room);
        promised += 1;
    }
    assert_eq!(promised, SMALL.lines, "what the thread has in hand counts, too");
    assert!(queue.is_full(100));
    gate.set(|door| door.is_shut = false);
    assert_eq!(queue.flush(PATIENCE), 0);
    assert!(!queue.is_full(100));
    assert_eq!(gate.lines(), (0..promised).map(|number| format!("line {number}")).collect::<Vec<_>>());
    assert_eq!(queue.lost(), 0);
}

#[test]
fn a_line_is_written_whether_the_thread_is_idle_or_waits_for_more() {
    let gate = Gate::default();
    let queue = queue(&gate, SMALL, Failure::Drops);
    // The thread has just written each of them when the next one comes.
    for count in 1..=50 {
        queue.push(b"line\n".to_vec());
        assert_eq!(queue.flush(PATIENCE), 0);
        assert_eq!(gate.lines().len(), count);
    }
    assert_eq!(queue.lost(), 0);
}

#[test]
fn a_full_disk_loses_no_line_that_waits() {
    let gate = Gate::default();
    gate.set(|door| door.fails = true);
    let queue = queue(&gate, SMALL, Failure::Waits);
    queue.push(b"one\n".to_vec());
    queue.push(b"two\n".to_vec());
    assert_eq!(queue.flush(Duration::from_millis(10)), 2);
    gate.set(|door| door.fails = false);
    assert_eq!(queue.flush(PATIENCE), 0);
    assert_eq!(gate.lines(), ["one", "two"]);
}

#[test]
fn how_long_nothing_was_taken_is_known_and_forgotten_when_it_goes_on() {
    let gate = Gate::default();
    gate.set(|door| door.is_shut = true);
    let queue = queue(&gate, SMALL, Failure::Waits);
    assert_eq!(queue.stands_still_for(), Duration::ZERO);
    queue.push(b"one\n".to_vec());
    while queue.stands_still_for() < Duration::from_millis(20) {
        thread::yield_now();
    }
    gate.set(|door| door.is_shut = false);
    queue.flush(PATIENCE);
    assert_eq!(queue.stands_still_for(), Duration::ZERO);
}

#[test]
fn lines_are_bounded_in_bytes_and_what_is_dropped_is_counted() {
    let gate = Gate::default();
    gate.set(|door| door.is_shut = true);
    let queue = queue(&gate, Bounds { lines: 1_000, bytes: 10_000 }, Failure::Drops);
    for _ in 0..100 {
        queue.push(vec![b'x'; 1_000]);
    }
    queue.push(vec![b'x'; 1_000_000]);
    assert_eq!(queue.lost(), 91);
    gate.set(|door| door.is_shut = false);
    queue.flush(PATIENCE);
    assert_eq!(gate.0.0.lock().unwrap().text.len(), 10_000);
}

#[test]
fn nobody_who_pushes_waits() {
    let gate = Gate::default();
    gate.set(|door| door.is_shut = true);
    let (done, finished) = mpsc::channel();
    for failure in [Failure::Drops, Failure::Waits] {
        let (queue, done) = (queue(&gate, SMALL, failure), done.clone());
        thread::spawn(move || {
            (0..10_000).for_each(|_| queue.push(b"line\n".to_vec()));
            done.send(queue.lost()).unwrap();
        });
    }
    for _ in 0..2 {
        assert!(finished.recv_timeout(PATIENCE).unwrap() > 0);
    }
    gate.set(|door| door.is_shut = false);
}

#[test]
fn a_line_larger_than_the_queue_has_it_to_itself() {
    let gate = Gate::default();
    let queue = queue(&gate, SMALL, Failure::Waits);
    let mut first = queue.promise(100).unwrap();
    assert!(first.grow_to(1_000_000), "it is alone");
    assert!(queue.promise(1).is_none());
    drop(first);
    let (mut first, second) = (queue.promise(100).unwrap(), queue.promise(100).unwrap());
    assert!(!first.grow_to(1_000_000), "another one is there");
    assert!(first.grow_to(5_000));
    drop(second);
    assert!(queue.promise(5_001).is_none() && queue.promise(5_000).is_some());
}

#[test]
fn room_that_was_promised_is_not_taken_by_others() {
    let gate = Gate::default();
    gate.set(|door| door.is_shut = true);
    let queue = queue(&gate, SMALL, Failure::Waits);
    let _rooms: Vec<_> = (0..SMALL.lines).map(|_| queue.promise(1).unwrap()).collect();
    for _ in 0..2 * UNPROMISED.lines {
        queue.push(b"line\n".to_vec());
    }
    assert_eq!(queue.lost(), UNPROMISED.lines as u64);
    (0..SMALL.lines).for_each(|_| queue.push_promised(b"promised\n".to_vec()));
    gate.set(|door| door.is_shut = false);
    queue.flush(PATIENCE);
    assert_eq!(gate.lines().iter().filter(|line| *line == "promised").count(), SMALL.lines);
}

#[test]
fn at_the_end_the_thread_goes_whatever_the_output_does() {
    let gate = Gate::default();
    gate.set(|door| door.fails = true);
    let queue = queue(&gate, SMALL, Failure::Waits);
    queue.push(b"one\n".to_vec());
    queue.end();
    while Arc::strong_count(&queue) > 1 {
        thread::yield_now();
    }
}
