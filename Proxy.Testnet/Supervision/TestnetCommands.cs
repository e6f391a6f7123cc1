using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Processes;

namespace TorBalancer.Testnet.Supervision;

/// <summary>What the commands do, apart from how they are spelt. Each returns the process's exit code.</summary>
internal sealed class TestnetCommands(TestnetDirectory directory, TextWriter output, TextWriter error, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    // The nodes get 1.5 s each way, clients and relays, and then are killed.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    public async Task<int> UpAsync(TestNetworkOptions options, bool foreground, CancellationToken cancellationToken)
    {
        try
        {
            options.Validate();
            if (directory.IsSupervised(time))
                return await FailAsync(
                    $"a test network is up in {directory.Path} already; see testnet status, or end it with testnet down");
            if (directory.Exists)
                await output.WriteLineAsync($"removing what an ended network left in {directory.Path} ({directory.CleanUp()} processes)");
            TestNetworkDirectory.Create(directory.Path);
            if (foreground)
                return await StayAsync(options, cancellationToken);
            await new TestnetLauncher(directory, output, time).StartAsync(options, cancellationToken);
            Show();
            await output.WriteLineAsync("End it with: torbalancer testnet down");
            return 0;
        }
        catch (TestNetworkException failure)
        {
            if (directory.Exists && !directory.IsSupervised(time))
                directory.CleanUp();
            return await FailAsync($"the test network did not start: {failure.Message}");
        }
        catch (OperationCanceledException)
        {
            return await FailAsync("stopped before the test network was ready");
        }
    }

    /// <summary>Runs the network in this process until cancelled. The directory must have been made.</summary>
    public async Task<int> ServeAsync(TestNetworkOptions options, Action<TestnetState> ready, CancellationToken cancellationToken)
    {
        int code = await new TestnetSupervisor(directory, options, output, NullLogger.Instance, time).RunAsync(ready, cancellationToken);
        if (code != 0 && directory.ReadState()?.Error is { } reason)
            await error.WriteLineAsync(reason);
        return code;
    }

    public int Status(bool json)
    {
        if (!directory.Exists)
        {
            error.WriteLine(Missing);
            return 1;
        }

        TestnetStatus status = TestnetStatus.Of(directory, time);
        if (json)
            output.WriteLine(JsonSerializer.Serialize(status, TestnetJson.Default.TestnetStatus));
        else if (status is { Running: true, State.Phase: TestnetPhase.Ready })
            TestnetSummary.Write(output, status);
        else if (status.Running)
            output.WriteLine($"The test network in {directory.Path} is starting or stopping.");
        else
            output.WriteLine($"The test network in {directory.Path} has no supervisor any more; testnet down removes what is left.");
        return status is { Running: true, State.Phase: TestnetPhase.Ready } ? 0 : 1;
    }

    public async Task<int> DownAsync(CancellationToken cancellationToken)
    {
        if (!directory.Exists)
            return await FailAsync(Missing);
        if (!directory.IsSupervised(time))
        {
            int left = directory.CleanUp();
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"The supervisor had ended already; {left} processes and {directory.Path} removed."));
            return 0;
        }

        long begin = time.GetTimestamp();
        bool asked = false;
        while (directory.IsSupervised(time))
        {
            // A supervisor that has only just taken its lock has not written its id yet.
            if (!asked && directory.ReadState() is { } state)
            {
                ProcessSignals.Terminate(state.Pid);
                asked = true;
            }

            if (time.GetElapsedTime(begin) > StopLimit)
                return await FailAsync(
                    $"the supervisor in {directory.Path} does not stop (pid "
                        + $"{directory.ReadState()?.Pid.ToString(CultureInfo.InvariantCulture) ?? "unknown"})");
            await Task.Delay(PollInterval, time, cancellationToken);
        }

        if (directory.Exists)
            directory.CleanUp();
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"Test network stopped after {time.GetElapsedTime(begin).TotalSeconds:F1} s, {directory.Path} removed."));
        return 0;
    }

    private async Task<int> StayAsync(TestNetworkOptions options, CancellationToken cancellationToken)
    {
        int code = await ServeAsync(options, _ => Show(), cancellationToken);

        // Nobody else waits for the reason of a failure, which has been shown.
        TestNetworkDirectory.Remove(directory.Path);
        return code;
    }

    private string Missing => $"there is no test network in {directory.Path}";

    private void Show() => TestnetSummary.Write(output, TestnetStatus.Of(directory, time));

    private async Task<int> FailAsync(string message)
    {
        await error.WriteLineAsync(message);
        return 1;
    }
}
