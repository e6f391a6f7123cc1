using Microsoft.Extensions.Logging;

namespace TorBalancer.Testnet.Supervision;

/// <summary>Runs one network from start to stop and writes down its state; the process around it does nothing else.</summary>
internal sealed class TestnetSupervisor(
    TestnetDirectory directory, TestNetworkOptions options, TextWriter output, ILogger logger, TimeProvider time)
{
    /// <summary>Returns after a stop was asked for by <paramref name="cancellationToken"/>. The directory must have been made.</summary>
    /// <param name="ready">Called once the network serves.</param>
    /// <returns>The process's exit code.</returns>
    public async Task<int> RunAsync(Action<TestnetState> ready, CancellationToken cancellationToken)
    {
        using FileStream? held = directory.TryLock();
        if (held is null)
        {
            await output.WriteLineAsync($"another supervisor runs in {directory.Path}");
            return 1;
        }

        var state = new TestnetState { Phase = TestnetPhase.Starting, Pid = Environment.ProcessId, StartedAt = time.GetUtcNow() };
        directory.WriteState(state);
        try
        {
            var progress = new LineProgress(output);
            await using TestNetwork network = await TestNetwork.StartAsync(
                options with { Directory = directory.NetworkPath }, progress, logger, time, cancellationToken);
            await File.WriteAllTextAsync(directory.ConfPath, TestNetworkConf.Render(network), cancellationToken);
            state = TestnetState.Of(network, state.Pid, state.StartedAt, directory.ConfPath);
            directory.WriteState(state);
            ready(state);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync("stopped");
        }
        catch (TestNetworkException failure)
        {
            // Left for the one who waits for us, and who shows it.
            directory.WriteState(state with { Phase = TestnetPhase.Failed, Error = failure.Message });
            return 1;
        }

        TestNetworkDirectory.Remove(directory.Path);
        return 0;
    }

    /// <summary>One line a step, at once: <see cref="Progress{T}"/> would go through the thread pool and lose the order.</summary>
    private sealed class LineProgress(TextWriter output) : IProgress<TestNetworkProgress>
    {
        public void Report(TestNetworkProgress value)
        {
            output.WriteLine(value);
            output.Flush();
        }
    }
}
