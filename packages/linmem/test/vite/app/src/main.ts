import { greet } from './greeting.ts'
import Greeter from './greeter.ts?worker'

interface Choice {
  leaks: boolean
  worker: 'none' | 'query' | 'url' | 'classic'
}

const query = new URLSearchParams(location.search)

const choice: Choice = {
  leaks: query.has('leak'),
  worker: (query.get('worker') ?? 'none') as Choice['worker'],
}

const workers: Record<Choice['worker'], () => Worker | undefined> = {
  none: () => undefined,
  query: () => new Greeter(),
  url: () => new Worker(new URL('./greeter.ts', import.meta.url), { type: 'module' }),
  classic: () => new Worker(new URL('./classic.js', import.meta.url)),
}

const worker: Worker | undefined = workers[choice.worker]()

if (worker === undefined) {
  await greet(20, choice.leaks)
} else {
  worker.postMessage({ times: 20, leaks: choice.leaks })
  await new Promise((resolve) => { worker.onmessage = resolve })
}
document.querySelector<HTMLDivElement>('#app')!.textContent = 'done'
