// The face of the simulator for the command `synod sim`.

export { historyLines } from './history/history-file.js'
export { InvalidPlan } from './plan/plan-fields.js'
export { formatPlan, parsePlan, type SeededPlan } from './plan/plan-file.js'
export { type Failure, shrink } from './plan/shrink.js'
export { tellSchedule } from './plan/tell-fault.js'
export { Coverage, type FaultCoverage } from './runs/coverage.js'
export { runSeeds } from './runs/jobs.js'
export { planOf, replayCommand, replayPlanCommand, type SeedResult } from './runs/run-seed.js'
export { type RunSummary, summarize } from './runs/summary.js'
export { judge, type Verdict } from './runs/verdict.js'
export { tracePage } from './trace/trace-page.js'
export { tracedRun } from './trace/traced-run.js'
