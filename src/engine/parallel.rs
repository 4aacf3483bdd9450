//! Tables side by side: begun in order, so many at a time, and no source server asked for more of them than it is said to bear.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::full_refresh::TableJob;
use crate::config::Parallel;

/// Does `work` for the jobs of all tables and returns the results in their order.
pub(super) async fn side_by_side<R, W>(jobs: Vec<TableJob>, bounds: Parallel, work: impl Fn(usize, TableJob) -> W) -> Vec<R>
where
    W: Future<Output = R>,
{
    // Two `db_type`s may be two databases of one server.
    let server = |job: &TableJob| job.source.server();
    bounded(jobs, bounds, server, work).await
}

/// A job whose source is at its bound lets later ones of other sources pass.
async fn bounded<J, S, R, W>(jobs: Vec<J>, bounds: Parallel, source: impl Fn(&J) -> S, work: impl Fn(usize, J) -> W) -> Vec<R>
where
    S: PartialEq + Clone,
    W: Future<Output = R>,
{
    let mut waiting: VecDeque<(usize, S, J)> = jobs.into_iter().enumerate().map(|(index, job)| (index, source(&job), job)).collect();
    let mut at_work = FuturesUnordered::new();
    let mut in_use: Vec<S> = Vec::new();
    let mut done = Vec::with_capacity(waiting.len());
    loop {
        while at_work.len() < bounds.tables {
            let free = |(_, source, _): &(usize, S, J)| in_use.iter().filter(|used| *used == source).count() < bounds.per_source;
            let Some((index, source, job)) = waiting.iter().position(free).and_then(|at| waiting.remove(at)) else { break };
            in_use.push(source.clone());
            let working = work(index, job);
            at_work.push(async move { (index, source, working.await) });
        }
        let Some((index, source, result)) = at_work.next().await else { break };
        if let Some(at) = in_use.iter().position(|used| *used == source) {
            in_use.swap_remove(at);
        }
        done.push((index, result));
    }
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What began and ended, in which order: jobs are named by their source.
    async fn course(jobs: &[&'static str], tables: usize, per_source: usize) -> Vec<String> {
        let course = RefCell::new(Vec::new());
        let work = async |index: usize, job: &str| {
            course.borrow_mut().push(format!("{job}{index} begins"));
            tokio::task::yield_now().await;
            course.borrow_mut().push(format!("{job}{index} ends"));
            index
        };
        let results = bounded(jobs.to_vec(), Parallel { tables, per_source }, |job| *job, work).await;
        assert_eq!(results, (0..jobs.len()).collect::<Vec<_>>(), "in the jobs' order");
        course.into_inner()
    }

    #[tokio::test]
    async fn one_at_a_time_is_one_after_another() {
        assert_eq!(course(&["a", "b"], 1, 1).await, ["a0 begins", "a0 ends", "b1 begins", "b1 ends"]);
    }

    #[tokio::test]
    async fn a_source_at_its_bound_lets_others_pass() {
        let course = course(&["a", "a", "b"], 2, 1).await;
        assert_eq!(course[..2], ["a0 begins", "b2 begins"]);
        let of_a: Vec<_> = course.iter().filter(|event| event.starts_with('a')).collect();
        assert_eq!(of_a, ["a0 begins", "a0 ends", "a1 begins", "a1 ends"]);
    }

    #[tokio::test]
    async fn as_many_as_the_bounds_allow_are_at_work() {
        assert_eq!(course(&["a", "a", "a"], 3, 2).await[..2], ["a0 begins", "a1 begins"]);
    }
}
