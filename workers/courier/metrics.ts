import { Counter, Gauge, Registry } from 'prom-client';

/** What a courier counts; served at /metrics. */
export class CourierMetrics {
  readonly registry = new Registry();

  readonly attempts = new Counter({
    name: 'noteburst_courier_attempts_total',
    help: 'Attempts at jobs of the courier: done, failed and to be tried again, or failed for good',
    labelNames: ['kind', 'outcome'],
    registers: [this.registry],
  });

  readonly active = new Gauge({
    name: 'noteburst_courier_active',
    help: 'Jobs that the courier is doing',
    labelNames: ['kind'],
    registers: [this.registry],
  });

  readonly untold = new Counter({
    name: 'noteburst_callbacks_untold_total',
    help: 'Jobs with a callback whose end nobody is told: removed before the courier saw it, or unreadable for an hour',
    registers: [this.registry],
  });
}
