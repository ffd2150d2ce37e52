import { expect, test } from 'vitest'
import { load, type Block } from './greeting.ts'

test('blocks are freed', async () => {
  const { text, free } = await load()
  const blocks: Block[] = Array.from({ length: 20 },
    () => text())
  blocks.forEach(free)
  expect(blocks[19] - blocks[0]).toBe(1900)
})
