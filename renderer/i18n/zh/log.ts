/** What the Log page says. */
import { plural } from '../format.ts';
import type { log as english } from '../en/log.ts';
import type { Shape } from '../shape.ts';

export const log: Shape<typeof english> = {
  title: '日志',
  live: '实时',
  paused: '正在查看较早的日志，已暂停跟随',
  search: '搜索日志',
  lines: '日志行',
  levels: { all: '全部', warning: '警告', error: '错误' },
  level: '级别',
  wrap: '长行自动换行',
  copySelected: (count) => plural('zh', count, { other: '复制 # 行' }),
  copied: (count) => plural('zh', count, { other: '已复制 # 行' }),
  fresh: (count) => plural('zh', count, { other: '# 行新日志' }),
  toEnd: '回到最新一行',
  only: (id) => `只看 ${id} 的日志`,
  openInQueue: (id) => `在队列中打开 ${id}`,
  loadingOlder: '正在读取更早的日志…',
  start: '日志从这里开始。',
  capped: (count) => `这里只保留最新的 ${count} 行。请缩小筛选范围以查看更早的内容。`,
  empty: {
    title: '还没有日志',
    body: '每次连接、每封邮件、每次投递都会在这里写下日志，用词与 Postfix 相同。发一封邮件试试看。',
  },
  nothing: { title: '没有符合条件的日志', body: '试试减少关键词，或去掉一个筛选条件。' },
  problem: '无法读取日志',
};
