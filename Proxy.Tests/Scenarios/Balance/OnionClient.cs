using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>A real tor client of a balanced address.</summary>
internal sealed class OnionClient(IPEndPoint socks, EndPoint control)
{
    private int _identities;

    /// <summary>One for each worker of the network.</summary>
    public static OnionClient[] AllOf(TestNetwork network) =>
    [
        .. network.Workers.Select(static worker => new OnionClient(
            new IPEndPoint(IPAddress.Loopback, worker.SocksPort), new UnixDomainSocketEndPoint(worker.ControlPath))),
    ];

    /// <summary>
    /// One request over a circuit of its own: which instance answered; null when it failed, with the reason. Each has a SOCKS identity that
    /// nobody had before, and so a rendezvous, and an introduction point by tor's choice, of its own.
    /// </summary>
    public async Task<(int? Instance, string Failure)> RequestAsync(OnionServiceAddress address, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(socks, limit.Token);
            await using var stream = new NetworkStream(socket);
            string user = string.Create(CultureInfo.InvariantCulture, $"{Guid.NewGuid():N}{Interlocked.Increment(ref _identities)}");
            byte[] reply = await SocksClient.RequestAsync(stream, address.ToString(), 80, limit.Token, user, "x");
            if (reply[1] != 0)
                return (null, $"SOCKS reply {reply[1]:X2}");
            await stream.WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), limit.Token);
            string answer = Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(stream, limit.Token));
            return int.TryParse(answer[(answer.LastIndexOf('\n') + 1)..], CultureInfo.InvariantCulture, out int instance)
                ? (instance, "")
                : (null, $"answered '{answer}'");
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            return (null, failure.Message);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return (null, "no answer within 60 s");
        }
    }

    /// <summary>Gives it the descriptor of one directory, as if it had asked there. False when it did not get it.</summary>
    public async Task<bool> FetchFromAsync(OnionServiceAddress address, string? directory, CancellationToken token)
    {
        await using var connection = await ConnectAsync(token);
        using var source = await DescriptorSource.OpenAsync(connection, TimeSpan.FromSeconds(30), TimeProvider.System, token);
        return (await source.FetchAsync(address, directory, token)).Text is not null;
    }

    /// <summary>The control port of its tor.</summary>
    public Task<ControlConnection> ConnectAsync(CancellationToken token) => ControlConnection.ConnectAsync(
        control, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);
}
