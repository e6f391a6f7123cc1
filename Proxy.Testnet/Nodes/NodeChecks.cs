using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Testnet.Nodes;

/// <summary>What a starting network waits for. Each answers no while the node is not that far, whatever the reason.</summary>
internal static class NodeChecks
{
    // Enough of the six or more directories for a client to find the service at once.
    private const int DescriptorUploads = 3;

    // A rendezvous takes well under a second here; one that goes by a dead introduction point is better begun again.
    private static readonly TimeSpan OnionAttempt = TimeSpan.FromSeconds(10);

    /// <summary>An authority's DirPort accepts connections.</summary>
    public static Task<bool> ListensAsync(TestNode authority, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, authority.DirPort), cancellationToken);
        return true;
    });

    /// <summary>An authority has got the descriptors of all of <paramref name="relays"/>.</summary>
    public static Task<bool> HasUploadsAsync(TestNode authority, IEnumerable<TestNode> relays, CancellationToken cancellationToken) =>
        KnowsAsync(authority, "desc/id/", relays, cancellationToken);

    /// <summary>An authority serves a consensus in which every one of <paramref name="relays"/> runs.</summary>
    public static Task<bool> HasConsensusAsync(TestNode authority, IEnumerable<TestNode> relays, CancellationToken cancellationToken) =>
        TryAsync(async () =>
    {
        string consensus = await GetAsync(authority.DirPort, "/tor/status-vote/current/consensus", cancellationToken);
        var listed = new HashSet<string>(StringComparer.Ordinal);
        foreach (string line in consensus.Split('\n'))
        {
            // dir-spec 3.4.1: r nickname identity digest publication IP ORPort DirPort
            if (line.StartsWith("r ", StringComparison.Ordinal))
                listed.Add(line.Split(' ')[1]);
        }

        return relays.All(r => listed.Contains(r.Name));
    });

    /// <summary>A relay can hand out the microdescriptors of all of <paramref name="relays"/>.</summary>
    public static Task<bool> HasDescriptorsAsync(TestNode relay, IEnumerable<TestNode> relays, CancellationToken cancellationToken) =>
        KnowsAsync(relay, "md/id/", relays, cancellationToken);

    /// <summary>A client can build circuits.</summary>
    public static Task<bool> BootstrappedAsync(TestNode client, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using NodeControl control = await NodeControl.ConnectAsync(client, cancellationToken);
        NodeControlReply reply = await control.SendAsync("GETINFO status/bootstrap-phase", cancellationToken);
        return reply.IsOk && reply.Lines[0].Contains(" PROGRESS=100 ", StringComparison.Ordinal);
    });

    /// <summary>An onion service has uploaded its descriptor. Keeps its connection: uploads are told once.</summary>
    public static Task<bool> PublishedAsync(TestNode service, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using NodeControl control = await NodeControl.ConnectAsync(service, cancellationToken);
        if (!(await control.SendAsync("SETEVENTS HS_DESC", cancellationToken)).IsOk)
            return false;
        for (int uploads = 0; uploads < DescriptorUploads;)
        {
            if ((await control.NextEventAsync(cancellationToken)).StartsWith("HS_DESC UPLOADED ", StringComparison.Ordinal))
                uploads++;
        }

        return true;
    });

    /// <summary>
    /// A client reaches the onion service. Later than both being ready: a client whose consensus differs from the service's asks
    /// the wrong directories, and one that has an old descriptor tries old introduction points first.
    /// </summary>
    public static Task<bool> ReachesAsync(TestNode client, string onion, CancellationToken cancellationToken) => TryAsync(async () =>
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(OnionAttempt);
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, client.SocksPort), limit.Token);
            await using var stream = new NetworkStream(socket);

            // RFC 1928: 05 01 00, then 05 01 00 03 length name port; the answers are 05 00 and 05 REP 00 01 and six bytes.
            byte[] answer = new byte[10];
            await stream.WriteAsync(new byte[] { 5, 1, 0 }, limit.Token);
            await stream.ReadExactlyAsync(answer.AsMemory(0, 2), limit.Token);
            await stream.WriteAsync((byte[])[5, 1, 0, 3, (byte)onion.Length, .. Encoding.ASCII.GetBytes(onion), 0, 80], limit.Token);
            await stream.ReadExactlyAsync(answer, limit.Token);
            return answer[1] == 0;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    });

    private static Task<bool> KnowsAsync(TestNode node, string prefix, IEnumerable<TestNode> relays, CancellationToken cancellationToken) =>
        TryAsync(async () =>
    {
        // One unknown key fails the whole command.
        using NodeControl control = await NodeControl.ConnectAsync(node, cancellationToken);
        string keys = string.Join(' ', relays.Select(r => prefix + r.Fingerprint));
        return (await control.SendAsync("GETINFO " + keys, cancellationToken)).IsOk;
    });

    private static async Task<bool> TryAsync(Func<Task<bool>> check)
    {
        try
        {
            return await check();
        }
        catch (Exception failure) when (failure is IOException or SocketException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>HTTP/1.0 by hand: one page, uncompressed, from a server of which we know that it closes.</summary>
    private static async Task<string> GetAsync(int port, string path, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"GET {path} HTTP/1.0\r\n\r\n")), cancellationToken);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
