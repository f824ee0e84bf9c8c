"""Deliver what the outbox holds: render it, send it to Slack, record the outcome.

The outbox (`bot.store.outbox`) is a table of intents: "the root of S240422ed in this channel", "a reply about
this notice". A row holds no words. This package turns rows into messages, one attempt at a time.

The loop
========

1. *Wake-up.* Storing a plan sets `Wakeups.deliveries`; `DuePoller` sets it for what became due by
   time or was stored by another process; the worker also polls. A lost wake-up costs time and no delivery.
2. *Claim.* `DeliveryWorker` claims due rows for its free slots in one transaction: state `sending`,
   attempts + 1, the worker's name. At most one row for each channel is in flight, and none in a channel
   that is paused. The order among channels is that of `bot.store.outbox.claiming`: alerts first. One slot
   in ten is reserved for alerts and answers.
3. *Attempt.* `Sender` renders the message and posts or edits it. Every attempt ends in an outcome, whatever
   fails.
4. *Outcome.* `OutcomeWriter` records `Delivered`, `Retry` (with the time of the next attempt) or
   `DeadLettered`. Outcomes that arrive within 40 ms share one transaction. Only after it the channel is
   free for its next row.

Ordering
========

Within a thread the root comes first, then replies in the order of their notices; a reply that is retried
holds up those after it. Edits and mentions wait for the root alone. Threads and channels don't wait for each
other: a channel that is archived or limited holds up no other.

Coalescing
==========

A message is rendered when it is sent, from the newest state. So notices that arrive while a root waits are in
it already. A thread has one row for edits: it brings the root from its posted revision to its target
revision, however many notices lie between, and is `Delivered` without a request if they are equal. What newer
notices overtook (a mention for an event that was retracted) renders to nothing and is dead-lettered.

What takes time doesn't delay a post. A root is posted without its image and its observability line if they
aren't ready, and an edit brings them.

Back-off
========

* 429: the channel, the workspace's edits or the workspace pause for Retry-After; the row waits as long.
* No answer, or an error that stands in no list: 1, 2, 4 … 300 s ± 25 %, counted for each row.
* The token is refused: at least 10 s, for the whole workspace.
* The channel is archived or gone: dead-lettered, with the rest of the channel, until somebody brings it
  back.
* Slack refuses a part of the message (image, buttons, metadata, a mention): the part is left out and the
  rest posted, see `bot.slack.degradation`. A part that was left out by guess is tried again later.
* News older than 24 hours is given up, unless the clock can't be trusted.
* The database is unavailable: outcomes are kept in memory and written once it is back.

Crashes
=======

A row that is `sending` when its process dies may or may not have been posted: Slack's answer was never
recorded. The next start, or for a dead worker any other, puts it back as `maybe_sent`; the same goes for a
request that got no answer. Before such a row is posted again, `HistoryLookup` looks for it in the channel's
history by the random key in its metadata. If the app lacks the history scope, or the history can't be read
after several attempts, the message is posted: rather twice than never. This is the only way for a message to
be doubled. Edits are repeated without a lookup, since repeating one changes nothing.

Leases
======

Several processes may share one PostgreSQL. Each leases the workspaces that it works for and renews the leases
by a heartbeat every second; a process that is silent for 6 s loses them (`bot.store.outbox.leases`). A
process may be paused anywhere and wake up after its lease has expired, when another has posted its rows. So
the lease is checked after rendering, and again before the first byte of each request
(`bot.slack.lease_check`); outcomes are recorded only for rows that are still claimed under this worker's
name. SQLite has one process, which holds everything.

Modules
=======

* `worker`: the claim loop, heartbeat, stop
* `sender`: one attempt: history lookup, render, post, edit
* `retry_policy`: outcome and back-off for a failure (pure)
* `rate_control`: pauses of channels, workspaces and edits
* `outcome_writer`: batches outcomes and records them
* `history_lookup`, `history_window`: find a message whose answer was lost
* `degraded_messages`: remembers what Slack took only in part
* `renderer`, `root_renderer`, `thread_renderer`, `event_states`, `render_repositories`, `rendered_message`:
  from a row to a message
* `batch_loader`: merges the queries of many renderings into one
* `loop_throttle`: few requests are begun in each turn of the event loop, so that people are answered in
  between
* `image_worker`, `image_drawer`, `image_provider`: sky-map images, drawn and uploaded apart from the
  messages
* `due_poller`: one query each second for all workers
"""
