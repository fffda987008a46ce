import { Counter, Histogram, Registry } from 'prom-client';

/** What an executor counts; served at /metrics. Each has a registry of its own, so that two can live in one process. */
export class ExecutorMetrics {
  readonly registry = new Registry();

  readonly stateTransitions = new Counter({
    name: 'noteburst_executor_state_transitions_total',
    help: 'Changes of state of the executor',
    labelNames: ['from', 'to'],
    registers: [this.registry],
  });

  readonly leaseRenewals = new Counter({
    name: 'noteburst_lease_renewals_total',
    help: 'Renewals of the lease: extended, refused by Redis, or without an answer',
    labelNames: ['outcome'],
    registers: [this.registry],
  });

  readonly evictions = new Counter({
    name: 'noteburst_executor_evictions_total',
    help: 'Leases that were lost or given up at once, by their cause',
    labelNames: ['cause'],
    registers: [this.registry],
  });

  readonly spawnSeconds = new Histogram({
    name: 'noteburst_lab_spawn_seconds',
    help: 'From asking for a lab, the leftover one stopped included, until it can be used or has failed',
    labelNames: ['outcome'],
    buckets: [1, 2, 5, 10, 20, 40, 80, 160, 320, 640],
    registers: [this.registry],
  });

  readonly loopBlocks = new Counter({
    name: 'noteburst_event_loop_blocks_total',
    help: 'Times that the event loop was blocked for so long that the locks of jobs were in danger',
    registers: [this.registry],
  });
}
