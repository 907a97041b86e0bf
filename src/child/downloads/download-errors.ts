/** How a download fails: as the task's own failure, with a cause whose `code` says of which kind. */
import { TroupeError } from '../../common/errors.ts'

type DownloadFault =
  /** It can't be said which request a file belongs to. */
  | 'DOWNLOAD_AMBIGUOUS'
  /** A redirect led to a page instead of a file. */
  | 'DOWNLOAD_REDIRECTED'
  | 'DOWNLOAD_LIMIT'
  /** The tab was given back while it was under way. */
  | 'DOWNLOAD_ABANDONED'

export function downloadError(
  message: string,
  { code, retryable = true }: { code?: DownloadFault; retryable?: boolean } = {},
): TroupeError {
  const cause = code === undefined ? undefined : Object.assign(new Error(message), { code })
  return new TroupeError('TASK_FAILED', message, { retryable, cause })
}
