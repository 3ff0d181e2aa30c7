//! Turns for steps that compute: so that eight that never end do not keep an honest one waiting.
//!
//! A step that has not computed for a whole tick never waits here. One that has needs a turn,
//! and there is one turn fewer than there are threads, so that a thread is free for whoever has
//! just come. Who has just begun goes before who has not. Else whoever has computed the least goes
//! first: counted for the plugin before the attempt, so that eight steps of one plugin don't get
//! eight times what one of another gets. What a plugin has computed long ago counts less and less.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Ticks after which a turn ends whose holder was not heard of: it waits for something else than
/// a thread.
const TURN_TICKS: u64 = 2;

/// Ticks of its own for which an attempt has just begun: most honest ones end within them.
const BEGINNING_TICKS: u64 = 20;

/// Ticks of the clock, a second, after which what plugins have computed counts half.
const HALF_LIFE_TICKS: u64 = 200;

/// Who may compute.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    /// Ticks of the clock so far.
    now: u64,
    /// How many may compute at the same time, as whoever asked last has it.
    places: usize,
    /// Who has a turn, and the tick at which it was last heard of.
    computing: HashMap<u64, u64>,
    waiting: Vec<Waiting>,
    /// Ticks that the living attempts of each plugin have computed, halved every second.
    by_plugin: HashMap<Arc<str>, PluginUse>,
    last_id: u64,
}

#[derive(Default)]
struct PluginUse {
    attempts: usize,
    ticks: u64,
}

/// One that waits for its turn.
struct Waiting {
    id: u64,
    plugin: Arc<str>,
    ticks: u64,
    call: oneshot::Sender<()>,
}

/// One attempt's place in the order. Dropping it gives back what it holds.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    plugin: Arc<str>,
    id: u64,
    ticks: u64,
}

/// What an attempt that has computed for a tick is to do.
pub(crate) enum Next {
    /// Go on.
    GoOn,
    /// Wait until this comes.
    Wait(oneshot::Receiver<()>),
}

impl Turns {
    /// A place in the order for an attempt of the plugin with this digest.
    pub(crate) fn join(self: &Arc<Self>, plugin: Arc<str>) -> Turn {
        let mut state = self.lock();
        state.last_id += 1;
        state.by_plugin.entry(Arc::clone(&plugin)).or_default().attempts += 1;
        Turn { turns: Arc::clone(self), plugin, id: state.last_id, ticks: 0 }
    }

    /// The clock's tick: ends turns of those that were not heard of, and calls the next.
    pub(crate) fn tick(&self) {
        let mut state = self.lock();
        state.now += 1;
        let now = state.now;
        if now.is_multiple_of(HALF_LIFE_TICKS) {
            state.by_plugin.values_mut().for_each(|plugin| plugin.ticks /= 2);
        }
        state.computing.retain(|_, heard| now.saturating_sub(*heard) <= TURN_TICKS);
        state.call_next();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The attempt has computed for one more tick, on a machine with so many threads for steps.
    pub(crate) fn ticked(&mut self, threads: usize) -> Next {
        self.ticks += 1;
        let mut state = self.turns.lock();
        state.places = threads.saturating_sub(1).max(1);
        let plugin = state.by_plugin.entry(Arc::clone(&self.plugin)).or_default();
        plugin.ticks += 1;
        // Its turn is over with the tick; it gets the next one like everybody else.
        state.computing.remove(&self.id);
        let (call, called) = oneshot::channel();
        let plugin = Arc::clone(&self.plugin);
        state.waiting.push(Waiting { id: self.id, plugin, ticks: self.ticks, call });
        state.call_next();
        if state.computing.contains_key(&self.id) { Next::GoOn } else { Next::Wait(called) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.computing.remove(&self.id);
        state.waiting.retain(|waiting| waiting.id != self.id);
        if let Some(plugin) = state.by_plugin.get_mut(&self.plugin) {
            plugin.attempts -= 1;
            if plugin.attempts == 0 {
                state.by_plugin.remove(&self.plugin);
            }
        }
        state.call_next();
    }
}

impl State {
    /// Gives free places to those that have just begun, and else to those that have computed the
    /// least by plugin, then by attempt. Of those that have just begun, one that is alone in
    /// its plugin gets as much as eight of another together. Among equals to who came first.
    fn call_next(&mut self) {
        while self.computing.len() < self.places {
            let rank = |waiting: &Waiting| {
                let plugin = self.by_plugin.get(&waiting.plugin);
                let (attempts, plugin) =
                    plugin.map_or((1, 0), |plugin| (plugin.attempts as u64, plugin.ticks));
                let ticks = waiting.ticks;
                match ticks <= BEGINNING_TICKS {
                    true => (false, ticks * attempts, plugin, waiting.id),
                    false => (true, plugin, ticks, waiting.id),
                }
            };
            let next = (0..self.waiting.len()).min_by_key(|at| rank(&self.waiting[*at]));
            let Some(at) = next else { return };
            let next = self.waiting.swap_remove(at);
            self.computing.insert(next.id, self.now);
            // One that asked itself goes on without being called.
            let _ = next.call.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it may go on at once; else what it waits for.
    fn ticked(turn: &mut Turn) -> Option<oneshot::Receiver<()>> {
        match turn.ticked(2) {
            Next::GoOn => None,
            Next::Wait(called) => Some(called),
        }
    }

    fn is_called(waits: &mut oneshot::Receiver<()>) -> bool {
        waits.try_recv().is_ok()
    }

    #[test]
    fn of_two_threads_one_computes_and_the_other_is_free() {
        let turns = Arc::new(Turns::default());
        let (mut first, mut second) = (turns.join("spinner".into()), turns.join("spinner".into()));

        assert!(ticked(&mut first).is_none());
        let mut waits = ticked(&mut second).expect("the only place is taken");
        assert!(!is_called(&mut waits));

        // The next tick of the first finds the second waiting, which has computed less.
        assert!(ticked(&mut first).is_some());
        assert!(is_called(&mut waits));
    }

    #[test]
    fn a_plugin_that_computed_little_goes_before_many_steps_of_one_that_computed_much() {
        let turns = Arc::new(Turns::default());
        let mut spinners: Vec<Turn> = (0..8).map(|_| turns.join("spinner".into())).collect();
        let mut waits: Vec<_> = spinners.iter_mut().map(ticked).collect();
        let mut honest = turns.join("honest".into());

        let mut called = ticked(&mut honest).expect("a spinner has the turn");
        // The spinner that has it comes to its next tick.
        waits[0] = ticked(&mut spinners[0]);

        assert!(is_called(&mut called));
        assert!(waits.iter_mut().flatten().all(|waits| !is_called(waits)));
        for _ in 0..6 {
            assert!(ticked(&mut honest).is_none(), "it has computed less than all spinners");
        }
    }

    /// Lets all of them compute on one place until so many ticks were given, and gives each one's.
    fn shares(
        turns: &mut [Turn],
        waits: &mut [Option<oneshot::Receiver<()>>],
        ticks: usize,
    ) -> Vec<usize> {
        let mut got = vec![0; turns.len()];
        for _ in 0..ticks {
            let at = waits
                .iter_mut()
                .position(|waits| waits.as_mut().is_none_or(is_called))
                .expect("somebody has the turn");
            got[at] += 1;
            waits[at] = ticked(&mut turns[at]);
        }
        got
    }

    #[test]
    fn eight_digests_that_start_together_get_the_same_and_so_does_one_with_a_past() {
        let turns = Arc::new(Turns::default());
        let mut past = turns.join("busy".into());
        for _ in 0..10_000 {
            drop(ticked(&mut past));
        }
        let mut together: Vec<Turn> = (0..8).map(|n| turns.join(n.to_string().into())).collect();
        together.push(turns.join("busy".into()));
        drop(past);

        let mut waits: Vec<_> = together.iter_mut().map(ticked).collect();
        let got = shares(&mut together, &mut waits, 9 * 15);

        assert!(got.iter().all(|got| (14..=16).contains(got)), "{got:?}");
    }

    #[test]
    fn who_has_just_begun_goes_before_those_that_compute_for_long() {
        let turns = Arc::new(Turns::default());
        let mut all: Vec<Turn> = (0..8).map(|n| turns.join(n.to_string().into())).collect();
        let mut waits: Vec<_> = all.iter_mut().map(ticked).collect();
        shares(&mut all, &mut waits, 8 * 40);
        // Its plugin has computed more than any of them.
        turns.lock().by_plugin.entry("busy".into()).or_default().ticks = 5_000;
        all.push(turns.join("busy".into()));
        waits.push(ticked(&mut all[8]));

        let got = shares(&mut all, &mut waits, 20);

        assert!(got[8] >= 18, "{got:?}");
    }

    #[test]
    fn what_a_plugin_computed_long_ago_counts_less_and_less() {
        let turns = Arc::new(Turns::default());
        let mut busy = turns.join("busy".into());
        for _ in 0..1_000 {
            drop(ticked(&mut busy));
        }
        let counted = || turns.lock().by_plugin["busy"].ticks;
        assert_eq!(counted(), 1_000);

        for _ in 0..HALF_LIFE_TICKS {
            turns.tick();
        }
        assert_eq!(counted(), 500);
        for _ in 0..HALF_LIFE_TICKS * 9 {
            turns.tick();
        }
        assert_eq!(counted(), 0);
    }

    #[test]
    fn who_is_not_heard_of_loses_the_turn_and_who_is_gone_frees_it() {
        let turns = Arc::new(Turns::default());
        let (mut first, mut second, mut third) =
            (turns.join("a".into()), turns.join("b".into()), turns.join("c".into()));
        assert!(ticked(&mut first).is_none());
        let mut waits = ticked(&mut second).expect("taken");

        for _ in 0..=TURN_TICKS {
            assert!(!is_called(&mut waits));
            turns.tick();
        }

        assert!(is_called(&mut waits), "the first waits for something else than a thread");
        let mut waits = ticked(&mut third).expect("taken by the second");
        drop(second);
        assert!(is_called(&mut waits));
        drop((first, third));
        assert!(turns.lock().by_plugin.is_empty() && turns.lock().computing.is_empty());
    }

    #[test]
    fn one_that_was_dropped_while_it_waited_is_not_called() {
        let turns = Arc::new(Turns::default());
        let (mut first, mut second, mut third) =
            (turns.join("a".into()), turns.join("a".into()), turns.join("a".into()));
        assert!(ticked(&mut first).is_none());
        let gone = ticked(&mut second).expect("taken");
        let mut waits = ticked(&mut third).expect("taken");
        drop((gone, second));

        drop(first);

        assert!(is_called(&mut waits));
    }
}
