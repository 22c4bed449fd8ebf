/* Preloaded into a process, moves its wall clock by CLOCK_SKEW seconds, and no other clock: what
 * libfaketime does to the others breaks sleeps of Python (absolute ones, by the monotonic clock).
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t skew;

__attribute__((constructor)) static void read_skew(void) {
  const char *told = getenv("CLOCK_SKEW");
  skew = told ? atol(told) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  long failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += skew;
  return (int)failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec at;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &at))
    return -1;
  now->tv_sec = at.tv_sec;
  now->tv_usec = at.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (now)
    *now = at.tv_sec;
  return at.tv_sec;
}
