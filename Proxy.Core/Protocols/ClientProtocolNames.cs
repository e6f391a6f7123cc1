namespace TorBalancer.Protocols;

/// <summary>The words for protocols in the log, the API and the metrics.</summary>
public static class ClientProtocolNames
{
    public static string Word(this ClientProtocol protocol) => protocol switch
    {
        ClientProtocol.Socks5 => "socks5",
        ClientProtocol.Socks4 => "socks4",
        ClientProtocol.Socks4a => "socks4a",
        ClientProtocol.HttpConnect => "http_connect",
        ClientProtocol.HttpForward => "http",
        ClientProtocol.Transparent => "transparent",
        _ => "unknown",
    };
}
