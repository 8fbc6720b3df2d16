import { profiled } from './profile.js'
import type { Finished } from './report/report.js'
import type { Context, Scenario } from './scenario.js'

export interface RunOptions {
  /** Where this process's CPU profiles are written, one a scenario. */
  readonly profileDirectory: string | undefined
  readonly onFinished: (finished: Finished) => void
}

/** Runs them one after the other. One that breaks off does not keep the next from running. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  context: Context,
  { profileDirectory, onFinished }: RunOptions,
): Promise<Finished[]> {
  const finished: Finished[] = []
  for (const scenario of scenarios) {
    const one = await (profileDirectory === undefined
      ? runOne(scenario, context)
      : profiled(profileDirectory, `client-${scenario.name}`, () => runOne(scenario, context)))
    finished.push(one)
    onFinished(one)
  }
  return finished
}

async function runOne(scenario: Scenario, context: Context): Promise<Finished> {
  const beganMs = performance.now()
  const finished = (outcome: Finished['outcome']): Finished => {
    return { scenario, outcome, seconds: (performance.now() - beganMs) / 1_000 }
  }
  try {
    return finished(await scenario.run(context))
  } catch (error) {
    return finished(error instanceof Error ? error : new Error('it threw something that is no error'))
  } finally {
    // In a quick run they share what they start; otherwise each begins with rivals that nobody has used.
    await (context.isQuick ? context.rivals.stopOwn() : context.rivals.stopAll())
  }
}
