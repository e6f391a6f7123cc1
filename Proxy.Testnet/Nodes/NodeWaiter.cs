using System.Globalization;

namespace TorBalancer.Testnet.Nodes;

/// <summary>Waits for nodes to reach something, and says which one did not and what it said last.</summary>
/// <param name="limit">How long one wait may take.</param>
internal sealed class NodeWaiter(TimeProvider time, TimeSpan limit)
{
    private const int ShownLines = 12;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>As <see cref="ForAsync"/>, for all at once; the first that fails ends the waits for the others.</summary>
    public async Task ForAllAsync(
        IEnumerable<TestNode> nodes, string what, Func<TestNode, CancellationToken, Task<bool>> check, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] waits = nodes.Select(n => ForAsync(n, what, check, end.Token)).ToArray();
        Task? failed = null;
        await foreach (Task wait in Task.WhenEach(waits))
        {
            if (wait.IsCompletedSuccessfully || failed is not null)
                continue;
            failed = wait;
            await end.CancelAsync();
        }

        await (failed ?? Task.CompletedTask);
    }

    /// <summary>
    /// Asks until the answer is yes. Throws <see cref="TestNetworkException"/> when the node ends meanwhile or takes longer
    /// than the limit.
    /// </summary>
    public async Task ForAsync(
        TestNode node, string what, Func<TestNode, CancellationToken, Task<bool>> check, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            while (!await check(node, either.Token))
            {
                if (node.Exited.IsCompleted)
                {
                    int code = await node.Exited;
                    throw new TestNetworkException(string.Create(
                        CultureInfo.InvariantCulture, $"{node} ended with code {code} while we waited for it {what}{Said(node)}"));
                }

                await Task.Delay(Interval, time, either.Token);
            }
        }
        catch (OperationCanceledException failure) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TestNetworkException(string.Create(
                CultureInfo.InvariantCulture, $"waited {limit.TotalSeconds:F0} s for {node} {what}{Said(node)}"), failure);
        }
    }

    private static string Said(TestNode node)
    {
        string[] lines = node.LastLines.TakeLast(ShownLines).ToArray();
        return lines.Length == 0 ? "; it printed nothing" : "; it said last:\n  " + string.Join("\n  ", lines);
    }
}
