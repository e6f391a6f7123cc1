using TorBalancer.TorControl;

namespace TorBalancer.Tests.Support;

internal static class ControlConnectionExtensions
{
    /// <summary>The lines of a value such as circuit-status or entry-guards; none when it is empty.</summary>
    public static async Task<IReadOnlyList<string>> GetInfoLinesAsync(
        this ControlConnection control, string key, CancellationToken cancellationToken) =>
        (await control.GetInfoAsync(key, cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
