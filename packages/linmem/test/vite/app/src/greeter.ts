import { greet } from './greeting.ts'

interface Work {
  times: number
  leaks: boolean
}

onmessage = async ({ data: { times, leaks } }: MessageEvent<Work>) => {
  await greet(times, leaks)
  postMessage('done')
}
