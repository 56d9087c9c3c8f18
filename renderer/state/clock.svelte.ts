/** The time, as state: ticks once a second while the page is visible, for ages and countdowns. */
class Clock {
  now = $state(Date.now());

  start(): () => void {
    const tick = (): void => {
      if (!document.hidden) this.now = Date.now();
    };
    const timer = setInterval(tick, 1000);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }
}
export const clock = new Clock();
